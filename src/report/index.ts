export { createReport, type Report, type ReportOptions } from "./create-report.ts";
export { frequencyBars } from "./frequency-bars.ts";
export { frequencyPlot, type NamedHistogram, rasterize } from "./plots/frequency-plot.ts";
export {
  type FeatureBrowser,
  isThere,
  type ReportData,
  type ReportedContext,
  type ReportedDictionary,
  type ReportedFeature,
} from "./report-data.ts";
