import type { RunConfig } from "../config/index.ts";
import { DictlearnError } from "../errors.ts";
import { OutOfMemoryError } from "../worker/index.ts";

/**
 * The data that did not fit, and the keys that reduce it. The model's pass is not listed: its batch halves by itself.
 */
const KEYS: readonly [method: RegExp, hint: (config: RunConfig) => string][] = [
  [/^model\./, () => "Set model_dtype: bfloat16, or name a smaller model."],
  [
    /^(buffer\.|rows\.|bench\.rows$)/,
    ({ buffer }) =>
      `Lower buffer.n_ctxs, to ${half(buffer.n_ctxs)} for example${buffer.device === "cpu" ? "" : ", or set buffer.device: cpu"}.`,
  ],
  [
    /^((train|trainee|dictionary|source)\.|bench\.sparsify$)/,
    ({ buffer }) => `Lower buffer.out_batch_size, to ${half(buffer.out_batch_size)} for example, or dictionary_size.`,
  ],
];

/**
 * Adds to an out-of-memory error the key to lower and a size to try. Leaves other errors, and those with a hint,
 * unchanged.
 */
export const explainOutOfMemory = (error: unknown, config: RunConfig): unknown => {
  if (!(error instanceof OutOfMemoryError) || error.hint !== undefined) return error;
  const hint = KEYS.find(([method]) => method.test(error.method))?.[1](config);
  return hint === undefined ? error : new DictlearnError(error.message, { code: error.code, hint, cause: error });
};

const half = (count: number): number => Math.max(1, Math.floor(count / 2));
