/** Multiply-adds that one message may hold, so that a message of big steps holds one and can be stopped behind it. */
const WORK_PER_MESSAGE = 2 ** 30;
const MOST_STEPS_PER_MESSAGE = 64;
/** Products of a step: encode, decode, and the three gradients. */
const PRODUCTS_PER_STEP = 5;

export interface StepWork {
  readonly inputWidth: number;
  readonly outputWidth: number;
  readonly size: number;
}

/** How many steps one message carries. A function of the shapes alone, and the result does not depend on it. */
export const stepsPerMessage = (batchRows: number, dictionaries: readonly StepWork[]): number => {
  const work = dictionaries.reduce(
    (sum, { inputWidth, outputWidth, size }) =>
      sum + (PRODUCTS_PER_STEP * batchRows * size * (inputWidth + outputWidth)) / 2,
    0,
  );
  return Math.max(1, Math.min(MOST_STEPS_PER_MESSAGE, Math.floor(WORK_PER_MESSAGE / Math.max(work, 1))));
};

/** Steps from `step` up to and including the next one whose number leaves `remainder` when divided by `every`. */
export const stepsThrough = (step: number, every: number | null, remainder = 0): number => {
  if (every === null) return Number.POSITIVE_INFINITY;
  return ((((remainder - step) % every) + every) % every) + 1;
};
