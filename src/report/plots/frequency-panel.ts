import type { FrequencyHistogram } from "../../evaluate/frequencies.ts";
import { PANEL, panelSpec, renderSvg, seriesColour } from "./panel.ts";

/** The highest share of features in any bin: the common scale of a set of panels. */
export const highestShare = (histograms: readonly FrequencyHistogram[]): number =>
  Math.max(0, ...histograms.flatMap(({ counts, features }) => counts.map((count) => count / features)));

/** The histogram of one dictionary's feature frequencies; `highest` is the end of the vertical axis. */
export const frequencyPanel = async (
  { edges, counts, features }: FrequencyHistogram,
  { index, highest }: { readonly index: number; readonly highest: number },
): Promise<string> => {
  const values = counts.flatMap((count, bin) =>
    count === 0 ? [] : [{ low: edges[bin], high: edges[bin + 1], share: count / features }],
  );
  return await renderSvg(
    panelSpec({
      description: "Histogram of feature frequencies",
      data: [{ name: "bins", values }],
      scales: [
        { name: "x", type: "log", domain: [edges[0] ?? 1e-5, edges.at(-1) ?? 1], range: [0, PANEL.width] },
        { name: "y", type: "linear", domain: [0, highest || 1], range: [PANEL.height, 0], nice: true },
      ],
      axes: [
        {
          orient: "bottom",
          scale: "x",
          values: [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1],
          title: "share of tokens on which a feature fires",
          encode: {
            labels: { update: { text: { signal: "datum.value < 0.001 ? format(datum.value, '.0e') : datum.value" } } },
          },
        },
        { orient: "left", scale: "y", tickCount: 4, format: "~%", grid: true, title: "features" },
      ],
      marks: [
        {
          type: "rect",
          from: { data: "bins" },
          aria: false,
          encode: {
            update: {
              x: { scale: "x", field: "low" },
              x2: { scale: "x", field: "high", offset: -0.5 },
              y: { scale: "y", field: "share" },
              y2: { scale: "y", value: 0 },
              fill: { value: seriesColour(index) },
            },
          },
        },
      ],
    }),
  );
};
