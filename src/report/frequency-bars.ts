import type { FrequencyHistogram } from "../evaluate/frequencies.ts";
import { describeShares, type NamedHistogram } from "./plots/frequency-plot.ts";

/** Bins of the histogram in one character: 100 bins make a line of 50. */
const BINS_PER_CHARACTER = 2;
const ROWS = 4;
const LEVELS = " ▁▂▃▄▅▆▇█";

/**
 * Histograms of feature frequencies in characters, for a terminal. All panels share one scale: a full block is the
 * highest share of features in any of them.
 */
export const frequencyBars = (histograms: readonly NamedHistogram[]): string => {
  const columns = histograms.map(({ frequencies }) => shares(frequencies));
  const highest = Math.max(...columns.flat(), Number.MIN_VALUE);
  return histograms
    .map(({ name, frequencies }, index) =>
      panel(`${name}: ${describeShares(frequencies)}`, columns[index] ?? [], highest),
    )
    .join("\n\n");
};

/** The share of features in each character's bins. */
const shares = ({ counts, features }: FrequencyHistogram): number[] => {
  const columns: number[] = [];
  for (let start = 0; start < counts.length; start += BINS_PER_CHARACTER) {
    const sum = counts.slice(start, start + BINS_PER_CHARACTER).reduce((total, count) => total + count, 0);
    columns.push(sum / features);
  }
  return columns;
};

const panel = (title: string, columns: readonly number[], highest: number): string => {
  const lines: string[] = [];
  const steps = LEVELS.length - 1;
  for (let row = ROWS - 1; row >= 0; row--) {
    const bars = columns.map((share) => {
      // Any nonzero share shows as at least the lowest block.
      const height = share === 0 ? 0 : Math.max(1, Math.round((share / highest) * ROWS * steps));
      return LEVELS[Math.min(steps, Math.max(0, height - row * steps))];
    });
    lines.push(`  ${bars.join("")}`);
  }
  return [title, ...lines, `  ${axis(columns.length)}`].join("\n");
};

/** 1e-5 at the left end, a label at each power of ten, 1 at the right end. */
const axis = (width: number): string => {
  const labels = ["1e-5", "1e-4", "1e-3", "0.01", "0.1", "1"];
  const line = Array.from({ length: width }, () => "─");
  labels.forEach((label, index) => {
    const at = Math.min(width - label.length, Math.round((index / (labels.length - 1)) * width));
    for (let offset = 0; offset < label.length; offset++) line[at + offset] = label.charAt(offset);
  });
  return line.join("");
};
