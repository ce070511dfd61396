/** The results of one benchmark. */
export interface Table extends Cells {
  readonly title: string;
}

interface Cells {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A table with the date and machine of its measurement: one file of bench/results. */
export interface Measured extends Table {
  readonly date: string;
  readonly machine: string;
}

/** The table in Markdown, with its title above it. */
export const titled = (table: Table): string => `${table.title}\n\n${markdown(table)}`;

/** The cells in Markdown, padded to columns. */
export const markdown = ({ columns, rows }: Cells): string => {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  return [line(columns), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
};

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
};

/** "0.98 (0.95–1.01)": the median, and the range of the others. */
export const spread = (values: readonly number[], digits = 2): string =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;
