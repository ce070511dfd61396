import type { Interval } from "../../evaluate/bootstrap.ts";
import { decimalTicks, MARGIN } from "./decimal-ticks.ts";
import { panelSpec, renderSvg, seriesColour } from "./panel.ts";

export interface RecoveredPoint {
  /** Index of the dictionary in the report. */
  readonly index: number;
  readonly name: string;
  readonly l0: number;
  readonly recovered: number;
  readonly l0Interval: Interval | null;
  readonly recoveredInterval: Interval | null;
}

const INTERVAL = { stroke: { field: "colour" }, strokeOpacity: { value: 0.55 }, strokeWidth: { value: 1.5 } };

/** A line from one end of each point's interval to the other. */
const interval = (ends: object) =>
  ({ type: "rule", from: { data: "points" }, aria: false, encode: { update: { ...INTERVAL, ...ends } } }) as const;

const WIDTH = 320;
const HEIGHT = 220;

/** L0 against loss recovered, with 95% intervals: the further up and to the left, the better. */
export const recoveredPlot = async (points: readonly RecoveredPoint[]): Promise<string> => {
  const values = points.map(({ l0Interval, recoveredInterval, index, ...point }) => ({
    ...point,
    number: String(index + 1),
    colour: seriesColour(index),
    left: l0Interval?.[0] ?? point.l0,
    right: l0Interval?.[1] ?? point.l0,
    low: recoveredInterval?.[0] ?? point.recovered,
    high: recoveredInterval?.[1] ?? point.recovered,
  }));
  const low = Math.min(...values.map(({ left }) => left));
  const high = Math.max(...values.map(({ right }) => right));
  return await renderSvg(
    panelSpec({
      description: "L0 against loss recovered",
      width: WIDTH,
      height: HEIGHT,
      data: [{ name: "points", values }],
      scales: [
        {
          name: "x",
          type: "log",
          domain: [low / MARGIN, high * MARGIN],
          range: [0, WIDTH],
        },
        {
          name: "y",
          type: "linear",
          domain: { data: "points", fields: ["low", "high"] },
          range: [HEIGHT, 0],
          zero: false,
          nice: true,
        },
      ],
      axes: [
        {
          orient: "bottom",
          scale: "x",
          values: decimalTicks([low, high]),
          format: "~r",
          title: "L0: features for each token",
          grid: true,
        },
        { orient: "left", scale: "y", tickCount: 5, format: "~%", grid: true, title: "loss recovered" },
      ],
      marks: [
        interval({
          x: { scale: "x", field: "left" },
          x2: { scale: "x", field: "right" },
          y: { scale: "y", field: "recovered" },
        }),
        interval({
          x: { scale: "x", field: "l0" },
          y: { scale: "y", field: "low" },
          y2: { scale: "y", field: "high" },
        }),
        {
          type: "symbol",
          from: { data: "points" },
          aria: false,
          encode: {
            update: {
              x: { scale: "x", field: "l0" },
              y: { scale: "y", field: "recovered" },
              size: { value: 190 },
              fill: { field: "colour" },
              stroke: { value: "var(--surface)" },
            },
          },
        },
        {
          type: "text",
          from: { data: "points" },
          aria: false,
          encode: {
            update: {
              x: { scale: "x", field: "l0" },
              y: { scale: "y", field: "recovered" },
              text: { field: "number" },
              align: { value: "center" },
              baseline: { value: "middle" },
              fontSize: { value: 10 },
              fontWeight: { value: "bold" },
              fill: { value: "var(--surface)" },
            },
          },
        },
      ],
    }),
  );
};
