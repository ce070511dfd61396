export { frequencyBars } from "./frequency-bars.ts";
export { frequencyPlot, type NamedHistogram, rasterize } from "./frequency-plot.ts";
