/**
 * Multiply-adds that one message may hold: some ten milliseconds, so that a run can stop soon. After each message a GPU
 * idles until the next one is read, which at the published size is a fifth of a step.
 */
const WORK_PER_MESSAGE = { cpu: 2 ** 30, gpu: 2 ** 40 };
const MOST_STEPS_PER_MESSAGE = 64;
/** Products of a step: encode, decode, and the three gradients. */
const PRODUCTS_PER_STEP = 5;

export interface StepWork {
  readonly shape: { readonly inputWidth: number; readonly outputWidth: number; readonly size: number };
  /** `cpu`, or a GPU's name. */
  readonly device: string;
}

/** How many steps one message carries. Depends on shapes and devices alone, and the result does not depend on it. */
export const stepsPerMessage = (batchRows: number, dictionaries: readonly StepWork[]): number => {
  const work = dictionaries.reduce(
    (sum, { shape: { inputWidth, outputWidth, size } }) =>
      sum + (PRODUCTS_PER_STEP * batchRows * size * (inputWidth + outputWidth)) / 2,
    0,
  );
  const most = WORK_PER_MESSAGE[dictionaries.some(({ device }) => device === "cpu") ? "cpu" : "gpu"];
  return Math.max(1, Math.min(MOST_STEPS_PER_MESSAGE, Math.floor(most / Math.max(work, 1))));
};

/** Steps from `step` up to and including the next one whose number leaves `remainder` when divided by `every`. */
export const stepsThrough = (step: number, every: number | null, remainder = 0): number => {
  if (every === null) return Number.POSITIVE_INFINITY;
  return ((((remainder - step) % every) + every) % every) + 1;
};
