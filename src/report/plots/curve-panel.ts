import type { Mark, Scale } from "vega";
import type { CurveName, TrainingCurves } from "../report-data.ts";
import { decimalTicks, type Extent, MARGIN } from "./decimal-ticks.ts";
import { PANEL, panelSpec, renderSvg, seriesColour, seriesDash } from "./panel.ts";

export interface NamedCurves {
  /** Index of the dictionary in the report, which decides its colour. */
  readonly index: number;
  readonly curves: TrainingCurves;
}

/** Losses fall over orders of magnitude. */
const LOGARITHMIC: readonly CurveName[] = ["mse_loss", "sparsity_loss", "l0"];

/**
 * One quantity over the training steps, with a line for each dictionary and a tick where features were resampled; null
 * where there is no value to draw.
 */
export const curvePanel = async (
  name: CurveName,
  title: string,
  dictionaries: readonly NamedCurves[],
): Promise<string | null> => {
  const logarithmic = LOGARITHMIC.includes(name);
  const points = dictionaries.flatMap(({ index, curves: { steps, values } }) =>
    values[name].flatMap((value, at) =>
      value === null || (logarithmic && value <= 0)
        ? []
        : [{ index, step: steps[at] ?? 0, value, colour: seriesColour(index), dash: seriesDash(index) }],
    ),
  );
  if (points.length === 0) return null;
  const all = points.map(({ value }) => value);
  const range: Extent = [Math.min(...all), Math.max(...all)];
  const resampled = dictionaries.flatMap(({ curves }) => curves.resampled.map((step) => ({ step })));
  return await renderSvg(
    panelSpec({
      description: `${title} over the steps of training`,
      data: [
        { name: "points", values: points },
        { name: "resampled", values: resampled },
      ],
      scales: [
        { name: "x", type: "linear", domain: { data: "points", field: "step" }, range: [0, PANEL.width] },
        valueScale(name, range),
      ],
      axes: [
        { orient: "bottom", scale: "x", tickCount: 4, format: "~s", title: "step" },
        {
          orient: "left",
          scale: "y",
          tickCount: 4,
          grid: true,
          ...(logarithmic ? { values: decimalTicks(range) } : {}),
          ...(name === "dead_features" ? { tickMinStep: 1 } : {}),
          encode: { labels: { update: { text: { signal: LABELS[name] ?? "format(datum.value, '~r')" } } } },
        },
      ],
      marks: [resampledTicks, lines],
    }),
  );
};

/** The number format of some curves, as expressions of vega. */
const LABELS: Partial<Record<CurveName, string>> = {
  fraction_variance_explained: "format(datum.value, '~%')",
  dead_features: "format(datum.value, ',')",
  lr: "datum.value === 0 ? '0' : format(datum.value, '~e')",
};

const valueScale = (name: CurveName, [low, high]: Extent): Scale => {
  const range = [PANEL.height, 0];
  if (LOGARITHMIC.includes(name)) return { name: "y", type: "log", domain: [low / MARGIN, high * MARGIN], range };
  // A dictionary starts far below zero; what matters is how close it gets to one.
  if (name === "fraction_variance_explained") return { name: "y", type: "linear", domain: [0, 1], range, clamp: true };
  return { name: "y", type: "linear", domain: [0, high > 0 ? high : 1], range, nice: true };
};

const resampledTicks: Mark = {
  type: "rule",
  from: { data: "resampled" },
  aria: false,
  encode: {
    update: {
      x: { scale: "x", field: "step" },
      y: { value: 0 },
      y2: { value: PANEL.height },
      stroke: { value: "var(--line-strong)" },
      strokeDash: { value: [2, 3] },
    },
  },
};

const lines: Mark = {
  type: "group",
  from: { facet: { name: "line", data: "points", groupby: "index" } },
  aria: false,
  marks: [
    {
      type: "line",
      from: { data: "line" },
      aria: false,
      encode: {
        update: {
          x: { scale: "x", field: "step" },
          y: { scale: "y", field: "value" },
          stroke: { field: "colour" },
          strokeDash: { field: "dash" },
          strokeWidth: { value: 1.75 },
          strokeJoin: { value: "round" },
        },
      },
    },
  ],
};
