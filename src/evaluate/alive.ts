import type { Interval } from "./bootstrap.ts";

/** The part of a count of firings that decides the uncertainty of the number of alive features. */
export interface AliveCounts {
  /** All features of the dictionary. */
  readonly size: number;
  /** In how many contexts each feature fired. */
  readonly contextsFired: ArrayLike<number>;
  /** Contexts that were read. */
  readonly contexts: number;
}

/** The share of features that fired on at least one row, with a 95% interval. */
export const aliveShare = ({
  size,
  contextsFired,
  contexts,
}: AliveCounts): { value: number; interval: Interval | null } => {
  let alive = 0;
  let once = 0;
  let twice = 0;
  for (let feature = 0; feature < size; feature++) {
    const fired = contextsFired[feature] ?? 0;
    if (fired > 0) alive += 1;
    if (fired === 1) once += 1;
    if (fired === 2) twice += 1;
  }
  const value = alive / size;
  if (contexts < 2) return { value, interval: null };
  const deviation = Math.sqrt(aliveVariance({ alive, once, twice, contexts, size })) / size;
  return { value, interval: [Math.max(0, value - Z * deviation), Math.min(1, value + Z * deviation)] };
};

const Z = 1.959964;

/**
 * The variance of the number of features seen in as many contexts. Resampling contexts would lose those that fired in
 * one context only, so a bootstrap is biased here; we use the species estimator of ecology instead: S(1 − S/Ŝ), where Ŝ
 * estimates how many fire at all (Chao2, with bias correction), at most all of them. Source: Colwell et al. 2012,
 * "Models and estimators linking individual-based and sample-based rarefaction".
 */
const aliveVariance = (counts: {
  readonly alive: number;
  readonly once: number;
  readonly twice: number;
  readonly contexts: number;
  readonly size: number;
}): number => {
  const { alive, once, twice, contexts, size } = counts;
  const unseen = (((contexts - 1) / contexts) * once * (once - 1)) / (2 * (twice + 1));
  const all = Math.min(size, alive + unseen);
  return alive === 0 ? 0 : alive * (1 - alive / all);
};
