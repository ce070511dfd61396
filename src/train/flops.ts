import { bufferShape, rowsAppended } from "../buffer/index.ts";
import type { Estimate, ResolvedDictionary, ResolvedRun } from "../config/index.ts";
import type { Widths } from "../nnsight/index.ts";

/** Floating-point operations of a run; null where the run ends with its text. */
export interface RunFlops {
  /** Of the model, per token of a full context; 0 where there is none. */
  readonly model_per_token: number;
  /** Tokens that are run through the model: those trained on, and those left in the buffer. */
  readonly model_tokens: number | null;
  readonly model: number | null;
  /** Of all steps of all dictionaries. */
  readonly dictionaries: number | null;
  readonly total: number | null;
}

export interface FlopsFacts {
  readonly estimate: Pick<Estimate, "steps">;
  readonly batchRows: number;
  /** The widths that each dictionary of the run has, in order. */
  readonly dictionaries: readonly Widths[];
  /** Batches of cached rows, when there is no buffer. */
  readonly cachedBatches?: number;
  /** The model's operations for one context, counted in a forward pass; undefined where there is no model. */
  readonly model?: { readonly partial: number; readonly full: number } | undefined;
}

/**
 * Counts a run's matrix products: 2·a·b·c for (a, b) times (b, c). Leaves out elementwise work, above all the
 * optimiser, and occasional work: metrics, resampling, the final evaluation.
 *
 * total = model_per_token · model_tokens + Σ over dictionaries of steps · `stepFlops`
 */
export const runFlops = (
  { config, dictionaries }: ResolvedRun,
  { estimate, batchRows, cachedBatches, model, dictionaries: widths }: FlopsFacts,
): RunFlops => {
  const { buffer } = config;
  const perToken = model === undefined ? 0 : (buffer.forward === "full" ? model.full : model.partial) / buffer.ctx_len;
  const tokens =
    model === undefined ? 0 : estimate.steps === null ? null : rowsAppended(estimate.steps, bufferShape(buffer));
  const ofModel = tokens === null ? null : tokens * perToken;
  let ofDictionaries: number | null = 0;
  for (const [index, dictionary] of dictionaries.entries()) {
    const steps = Math.min(
      dictionary.train.steps ?? Number.POSITIVE_INFINITY,
      cachedBatches ?? Number.POSITIVE_INFINITY,
    );
    const step = stepFlops(dictionary, batchRows, widths[index] ?? { input: 0, output: 0 });
    ofDictionaries = Number.isFinite(steps) && ofDictionaries !== null ? ofDictionaries + steps * step : null;
  }
  return {
    model_per_token: perToken,
    model_tokens: tokens,
    model: ofModel,
    dictionaries: ofDictionaries,
    total: ofModel === null || ofDictionaries === null ? null : ofModel + ofDictionaries,
  };
};

/**
 * One step of one dictionary on B rows, d_in to d_out wide, if all features are computed; an upper bound.
 *
 * With gradients in closed form 2·m·(B·(2 d_in + 3 d_out) + d_in): the encoder's product forward and for its weights,
 * the decoder's forward, for its weights and for the features; the input bias costs one row. With autograd
 * (`adam_arithmetic: plain`) that bias needs a separate product: 2·m·B·(3 d_in + 3 d_out). `fired: updated` encodes
 * once more.
 */
export const stepFlops = (
  { dictionary_size: size, train }: Pick<ResolvedDictionary, "dictionary_size" | "train">,
  rows: number,
  { input, output }: Widths,
): number => {
  const closed = train.adam_arithmetic === "fused";
  const encodings = (closed ? 2 : 3) + (train.fired === "updated" ? 1 : 0);
  return 2 * size * (rows * (encodings * input + 3 * output) + (closed ? input : 0));
};
