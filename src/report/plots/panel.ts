import type { Axis, Config, Spec } from "vega";

/** Width and height of a panel's data rectangle, in CSS pixels: with its axes it fits a phone. */
export const PANEL = { width: 268, height: 130 } as const;

const FONT = "system-ui, sans-serif";
/** Colours are the page's custom properties, so that a plot follows its light and dark themes. */
const config: Config = {
  axis: {
    labelFont: FONT,
    titleFont: FONT,
    labelFontSize: 10.5,
    titleFontSize: 10.5,
    titleFontWeight: "normal",
    labelColor: "var(--muted)",
    titleColor: "var(--muted)",
    domainColor: "var(--line-strong)",
    tickColor: "var(--line-strong)",
    gridColor: "var(--line)",
    tickSize: 4,
    titlePadding: 6,
    aria: false,
  } as Config["axis"] & object,
};

const SERIES = 8;

/** The colour of the n-th dictionary in every plot and table. */
export const seriesColour = (index: number): string => `var(--series-${index % SERIES})`;

/** Where the colours repeat, lines are dashed. */
export const seriesDash = (index: number): number[] => (index < SERIES ? [] : [4, 2]);

/** A panel of the report: the shared settings, with the marks, scales and axes of this one. */
export const panelSpec = (
  parts: Pick<Spec, "data" | "scales" | "marks"> & {
    readonly description: string;
    readonly axes: readonly Axis[];
    readonly height?: number;
    readonly width?: number;
  },
): Spec => ({
  $schema: "https://vega.github.io/schema/vega/v6.json",
  width: PANEL.width,
  height: PANEL.height,
  padding: { left: 2, right: 8, top: 6, bottom: 2 },
  autosize: "pad",
  config,
  ...parts,
  axes: [...parts.axes],
});

/** A spec as an SVG element; coordinates, not labels, are rounded: a hundredth of a pixel cannot be seen. */
export const renderSvg = async (spec: Spec): Promise<string> => {
  const { View, parse, Warn } = await import("vega");
  const view = new View(parse(spec), { renderer: "none", logLevel: Warn });
  try {
    const svg = await view.toSVG();
    return svg
      .replace(/^<svg [^>]*?(?= width=)/, `<svg role="img" aria-label="${spec.description ?? ""}"`)
      .replaceAll(/(?<![>\d.])-?\d+\.\d{3,}(?![\d%])/g, (number) => String(Number(Number(number).toFixed(2))));
  } finally {
    view.finalize();
  }
};
