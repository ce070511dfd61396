import type { Sums } from "./sums.ts";

/** The statistics that are ratios of sums over contexts; docs/statistics.md has the formulas and their sources. */
export const STATISTIC_NAMES = [
  "mean_square_error",
  "root_mean_square_error",
  "l1",
  "l0",
  "fraction_variance_explained",
  "cosine_similarity",
  "relative_norm",
  "loss_original",
  "loss_reconstructed",
  "loss_zero_ablation",
  "loss_mean_ablation",
  "loss_recovered_zero",
  "loss_recovered_mean",
  "kl_divergence",
] as const;
export type StatisticName = (typeof STATISTIC_NAMES)[number];

/**
 * The unit that a statistic averages over: rows of activations, predictions of a next token, or whole distributions.
 */
export const COUNTED_BY: Readonly<Record<StatisticName, "rows" | "predictions" | "positions">> = {
  mean_square_error: "rows",
  root_mean_square_error: "rows",
  l1: "rows",
  l0: "rows",
  fraction_variance_explained: "rows",
  cosine_similarity: "rows",
  relative_norm: "rows",
  loss_original: "predictions",
  loss_reconstructed: "predictions",
  loss_zero_ablation: "predictions",
  loss_mean_ablation: "predictions",
  loss_recovered_zero: "predictions",
  loss_recovered_mean: "predictions",
  kl_divergence: "positions",
};

/**
 * The statistics of rows of width `width`, from their sums. A ratio whose denominator is 0 is NaN: fraction of variance
 * explained where every row is the same, loss recovered where the ablation does not change the loss.
 */
export const statisticsOf = (sums: Sums, width: number): Record<StatisticName, number> => {
  const mse = sums.squared_error / (sums.rows * width);
  const original = sums.original / sums.predictions;
  const reconstructed = sums.reconstructed / sums.predictions;
  const zero = sums.zero / sums.predictions;
  const mean = sums.mean / sums.predictions;
  return {
    mean_square_error: mse,
    root_mean_square_error: Math.sqrt(mse),
    l1: sums.l1 / sums.rows,
    l0: sums.l0 / sums.rows,
    fraction_variance_explained: 1 - sums.squared_error / sums.squared_deviation,
    cosine_similarity: sums.cosine / sums.directed_rows,
    relative_norm: sums.relative_norm / sums.directed_rows,
    loss_original: original,
    loss_reconstructed: reconstructed,
    loss_zero_ablation: zero,
    loss_mean_ablation: mean,
    loss_recovered_zero: lossRecovered(reconstructed, { original, ablated: zero }),
    loss_recovered_mean: lossRecovered(reconstructed, { original, ablated: mean }),
    kl_divergence: sums.divergence / sums.positions,
  };
};

/**
 * (L_rec − L_abl) / (L_orig − L_abl): 1 where the reconstruction does not change the loss, 0 where it is as bad as the
 * ablation.
 */
const lossRecovered = (
  reconstructed: number,
  losses: { readonly original: number; readonly ablated: number },
): number =>
  losses.original === losses.ablated
    ? Number.NaN
    : (reconstructed - losses.ablated) / (losses.original - losses.ablated);
