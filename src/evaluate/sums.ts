import type { LossSums, RowSums } from "../protocol/index.ts";

/** All sums for the statistics, over contexts; see `RowSums` and `LossSums` of the protocol. */
export type SumName = keyof RowSums | keyof LossSums;

/** One number for each sum: of one context, or of many together. */
export type Sums = Readonly<Record<SumName, number>>;

const ROW_NAMES = [
  "rows",
  "squared_error",
  "squared_deviation",
  "l1",
  "l0",
  "directed_rows",
  "cosine",
  "relative_norm",
] as const satisfies readonly (keyof RowSums)[];

const LOSS_NAMES = [
  "predictions",
  "original",
  "reconstructed",
  "zero",
  "mean",
  "positions",
  "divergence",
] as const satisfies readonly (keyof LossSums)[];

/** The sums in the fixed order that indexes vectors of them. */
export const SUM_NAMES: readonly SumName[] = [...ROW_NAMES, ...LOSS_NAMES];

/** The sums of each context of a batch, in the order of `SUM_NAMES`; 0 where not measured. */
export const sumsByContext = (rows: RowSums | null, losses: LossSums | null): number[][] => {
  const count = rows?.rows.length ?? losses?.predictions.length ?? 0;
  return Array.from({ length: count }, (_, index) => [
    ...ROW_NAMES.map((name) => rows?.[name][index] ?? 0),
    ...LOSS_NAMES.map((name) => losses?.[name][index] ?? 0),
  ]);
};

/** Names the entries of a vector in the order of `SUM_NAMES`. */
export const named = (vector: ArrayLike<number>): Sums =>
  Object.fromEntries(SUM_NAMES.map((name, index) => [name, vector[index] ?? 0])) as Record<SumName, number>;
