import { existsSync, readFileSync } from "node:fs";
import { CURVE_NAMES, type CurveName, type TrainingCurves } from "../report-data.ts";

/** Points of a curve: more than a panel can resolve. */
const MOST_POINTS = 160;

/**
 * The curves in a `metrics.jsonl`; null where there is no file or no logged step in it. A truncated line, which a
 * killed run may leave, counts as missing.
 */
export const readTrainingCurves = (path: string): TrainingCurves | null => {
  if (!existsSync(path)) return null;
  const lines = readFileSync(path, "utf8").split("\n").flatMap(parse);
  const logged = lines.filter(({ event, step }) => event === undefined && typeof step === "number");
  if (logged.length === 0) return null;
  const points = thinned(logged, MOST_POINTS);
  const curve = (name: CurveName) => points.map((point) => finite(point[name]));
  return {
    steps: points.map(({ step }) => step as number),
    values: Object.fromEntries(CURVE_NAMES.map((name) => [name, curve(name)])) as never,
    resampled: lines.flatMap(({ event, step }) => (event === "resampled" && typeof step === "number" ? [step] : [])),
  };
};

type Line = Readonly<Record<string, unknown>>;

const parse = (line: string): Line[] => {
  try {
    const value: unknown = JSON.parse(line);
    return value !== null && typeof value === "object" ? [value as Line] : [];
  } catch {
    return [];
  }
};

const finite = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? Number(value.toPrecision(5)) : null;

/** At most `most` items at equal distances, the first and the last among them. */
const thinned = <T>(items: readonly T[], most: number): T[] => {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, index) => Math.round((index * (items.length - 1)) / (most - 1))).flatMap(
    (index) => items[index] ?? [],
  );
};
