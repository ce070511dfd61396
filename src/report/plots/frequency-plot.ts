import type { Spec } from "vega";
import type { FrequencyHistogram } from "../../evaluate/frequencies.ts";

export interface NamedHistogram {
  readonly name: string;
  readonly frequencies: FrequencyHistogram;
}

const WIDTH = 640;
const PANEL = 120;
const INK = "#333";
const FONT = "Helvetica, Arial, DejaVu Sans, Liberation Sans, sans-serif";

/**
 * Histograms of feature frequencies as an SVG: stacked panels with the same logarithmic axis from 1e-5 to 1 and the
 * same scale of shares, so that dictionaries of any size can be compared. Features that never fire have no place on
 * such an axis; their share, and that of features that nearly always fire, is in each panel's title.
 */
export const frequencyPlot = async (histograms: readonly NamedHistogram[]): Promise<string> => {
  const { View, parse, Warn } = await import("vega");
  const view = new View(parse(frequencySpec(histograms)), { renderer: "none", logLevel: Warn });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
};

/** The plot as a PNG of twice the size; text uses a font of this machine. */
export const rasterize = async (svg: string): Promise<Uint8Array> => {
  const { Resvg } = await import("@resvg/resvg-js");
  return new Resvg(svg, { background: "white", fitTo: { mode: "zoom", value: 2 } }).render().asPng();
};

const frequencySpec = (histograms: readonly NamedHistogram[]): Spec => {
  const edges = histograms[0]?.frequencies.edges ?? [1e-5, 1];
  return {
    $schema: "https://vega.github.io/schema/vega/v6.json",
    description: "Histograms of feature frequencies",
    padding: 12,
    background: "white",
    config: { axis: { labelFont: FONT, titleFont: FONT, titleColor: INK }, title: { font: FONT } },
    data: [
      {
        name: "bins",
        values: histograms.flatMap(({ frequencies: { counts, edges: own, features } }, panel) =>
          counts.map((count, index) => ({ panel, low: own[index], high: own[index + 1], share: count / features })),
        ),
      },
    ],
    scales: [
      {
        name: "x",
        type: "log",
        domain: [edges[0] ?? 1e-5, edges.at(-1) ?? 1],
        range: [0, WIDTH],
      },
      {
        name: "y",
        type: "linear",
        domain: { data: "bins", field: "share" },
        range: [PANEL, 0],
        nice: true,
        zero: true,
      },
    ],
    layout: { columns: 1, padding: 24, bounds: "full" },
    marks: histograms.map(({ name, frequencies }, panel) => ({
      type: "group" as const,
      encode: { update: { width: { value: WIDTH }, height: { value: PANEL } } },
      title: {
        text: name,
        subtitle: describeShares(frequencies),
        anchor: "start" as const,
        subtitleFont: FONT,
        subtitleColor: INK,
      },
      axes: [
        {
          orient: "bottom" as const,
          scale: "x",
          values: [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1],
          encode: {
            labels: { update: { text: { signal: "datum.value < 0.001 ? format(datum.value, '.0e') : datum.value" } } },
          },
          ...(panel === histograms.length - 1 ? { title: "share of tokens on which a feature fires" } : {}),
        },
        { orient: "left" as const, scale: "y", tickCount: 3, format: ".1%", title: "features", grid: true },
      ],
      marks: [
        {
          type: "rect" as const,
          from: { data: `panel${panel}` },
          encode: {
            update: {
              x: { scale: "x", field: "low" },
              x2: { scale: "x", field: "high" },
              y: { scale: "y", field: "share" },
              y2: { scale: "y", value: 0 },
              fill: { value: "#4c78a8" },
            },
          },
        },
      ],
      data: [
        {
          name: `panel${panel}`,
          source: "bins",
          transform: [{ type: "filter" as const, expr: `datum.panel === ${panel} && datum.share > 0` }],
        },
      ],
    })),
  };
};

/** "4,608 features · 16,384 tokens · 12.3 % dead · 0.1 % always on". */
export const describeShares = ({ features, tokens, dead, always_on }: FrequencyHistogram): string =>
  [
    `${features.toLocaleString("en-US")} features`,
    `${tokens.toLocaleString("en-US")} tokens`,
    `${percent(dead)} dead`,
    `${percent(always_on)} always on`,
  ].join(" · ");

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;
