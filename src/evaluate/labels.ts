import type { StatisticName } from "./statistics.ts";

/** The label of each statistic, in the order of the table; shares are shown in percent. */
export const STATISTIC_LABELS: readonly (readonly [name: StatisticName | "alive", label: string, percent?: boolean])[] =
  [
    ["mean_square_error", "mean square error"],
    ["root_mean_square_error", "root mean square error"],
    ["fraction_variance_explained", "variance explained", true],
    ["cosine_similarity", "cosine similarity"],
    ["relative_norm", "relative norm"],
    ["l1", "L1"],
    ["l0", "L0"],
    ["alive", "alive features", true],
    ["loss_original", "loss, untouched model"],
    ["loss_reconstructed", "loss, reconstruction"],
    ["loss_zero_ablation", "loss, zero ablation"],
    ["loss_mean_ablation", "loss, mean ablation"],
    ["loss_recovered_zero", "loss recovered, of zero ablation", true],
    ["loss_recovered_mean", "loss recovered, of mean ablation", true],
    ["kl_divergence", "KL divergence"],
  ];
