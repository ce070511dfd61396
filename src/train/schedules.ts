/** The settings of the rate and the penalty. Steps are counted from 0. */
export interface ScheduleSettings {
  readonly lr: number;
  readonly steps: number | null;
  readonly warmup_steps: number;
  /** `one`: the rate is lr·(s+1)/warmup_steps, so step 0 moves. `zero`: lr·s/warmup_steps, as dictionary_learning ddac948. */
  readonly warmup_start: "one" | "zero";
  /** First step of the linear decay to 0 at `steps`; null for none. */
  readonly decay_start: number | null;
  readonly sparsity_penalty: number;
  readonly sparsity_warmup_steps: number;
  /** Steps over which the rate warms up again after a resampling. */
  readonly resample_warmup_steps: number;
}

/** Rises linearly to 1 over `length` steps; `position` counts from 1 at the first. */
const ramp = (position: number, length: number): number => (length <= 0 ? 1 : Math.min(position / length, 1));

/** The learning rate of step `step`; `resampledAt` is the step after which dead features were resampled last. */
export const learningRate = (step: number, settings: ScheduleSettings, resampledAt: number | undefined): number => {
  const warmup = ramp(settings.warmup_start === "one" ? step + 1 : step, settings.warmup_steps);
  // The resampling comes after its step, whose own rate it does not change.
  const before = resampledAt === undefined || step <= resampledAt;
  const rewarm = before ? 1 : ramp(step - resampledAt, settings.resample_warmup_steps);
  return settings.lr * Math.min(warmup, rewarm) * decay(step, settings);
};

const decay = (step: number, { decay_start, steps }: ScheduleSettings): number => {
  if (decay_start === null || steps === null || step < decay_start || steps <= decay_start) return 1;
  return (steps - step) / (steps - decay_start);
};

/** The sparsity penalty of step `step`: it rises linearly over the first `sparsity_warmup_steps` steps. */
export const sparsityPenalty = (step: number, settings: ScheduleSettings): number =>
  settings.sparsity_penalty * ramp(step + 1, settings.sparsity_warmup_steps);
