/** When dead features are resampled, and the definition of dead. Steps are counted from 0. */
export interface ResamplingSettings {
  readonly steps: number | null;
  readonly resample_steps: number | null;
  /** `drop-first-step`: ignores firings at the window's first step, as in dictionary_learning ddac948. */
  readonly resample_window: "count-first-step" | "drop-first-step";
  /** Resample even when too few steps are left to train the resampled features. */
  readonly resample_last_step: boolean;
}

/** Steps that a feature may be silent before the metrics call it dead, in a run that never resamples. */
const DEAD_WINDOW_WITHOUT_RESAMPLING = 1000;

/**
 * `due`: resample after this step. `too-late`: the schedule says so, but too little training is left for the new
 * features. `batchesLeft`: batches left in the source, null while unknown.
 */
export const resamplingAt = (
  step: number,
  settings: ResamplingSettings,
  batchesLeft: number | null = null,
): "due" | "too-late" | "no" => {
  const { resample_steps: every, steps, resample_last_step } = settings;
  if (every === null || step % every !== every - 1) return "no";
  // A feature with less than half a window to train in would be saved half trained.
  const stepsLeft = Math.min(steps === null ? Number.POSITIVE_INFINITY : steps - 1 - step, batchesLeft ?? Infinity);
  return resample_last_step || stepsLeft >= Math.max(1, Math.floor(every / 2)) ? "due" : "too-late";
};

/** First step of the window that decides at `step` which features are dead: those that did not fire in it or later. */
export const deadSince = (step: number, settings: ResamplingSettings): number => {
  const { resample_steps: every, resample_window } = settings;
  if (every === null) return Math.max(0, step - DEAD_WINDOW_WITHOUT_RESAMPLING + 1);
  const start = step - (every - 1) + Math.floor(every / 2);
  return resample_window === "drop-first-step" ? start + 1 : start;
};

/** As `deadSince`, at any step, for the metrics: a window of the same length that does not reach before the run. */
export const deadSinceForMetrics = (step: number, settings: ResamplingSettings): number =>
  Math.max(0, deadSince(step, settings));
