import type { Result } from "../protocol/index.ts";

export type Balance = Result<"dictionary.balance">;

/** A loss whose reconstruction term differs; all penalise the sum of the features. */
export type LossName = "mse" | "rmse" | "norm" | "squared_norm";

export const LOSS_TITLES: Readonly<Record<LossName, string>> = {
  mse: "mean of squares (dictlearn)",
  rmse: "its root (dictionary_learning ddac948)",
  norm: "norm of each row's error (dictionary_learning of early 2024)",
  squared_norm: "squared norm of each row's error (SAELens, today's dictionary_learning)",
};

export interface ProbableLoss {
  /** For each loss, the sparsity penalty under which the weights would be at rest. */
  readonly penalties: Readonly<Record<LossName, number>>;
  readonly statedPenalty: number | undefined;
  /** The loss whose penalty is nearest the stated one; undefined when none is close, or no penalty is stated. */
  readonly probable: LossName | undefined;
}

/** How far, as a factor, the implied penalty may be from the stated one. Training is never quite at rest. */
const NEAR = 1.5;

/**
 * The loss that a dictionary was probably trained with. Scaling an encoder row with its bias scales its feature, so at
 * rest the derivative of the loss in that scale is 0. With e = y − ŷ, v = W_dec f and penalty λ: mse E[e·v]/d = λ L1/2;
 * rmse E[e·v]/d = λ L1 RMSE; norm E[e·v/|e|] = λ L1; squared norm E[e·v] = λ L1/2.
 */
export const probableLoss = (balance: Balance, width: number, statedPenalty: number | undefined): ProbableLoss => {
  const { alignment, unit_alignment, l1, mse } = balance;
  const penalties = {
    mse: (2 * alignment) / l1,
    rmse: alignment / (l1 * Math.sqrt(mse)),
    norm: unit_alignment / l1,
    squared_norm: (2 * alignment * width) / l1,
  };
  if (statedPenalty === undefined || statedPenalty <= 0) return { penalties, statedPenalty, probable: undefined };
  const distance = (name: LossName): number => Math.abs(Math.log(penalties[name] / statedPenalty));
  const names = (Object.keys(penalties) as LossName[]).filter((name) => distance(name) <= Math.log(NEAR));
  const [probable] = names.sort((a, b) => distance(a) - distance(b));
  return { penalties, statedPenalty, probable };
};
