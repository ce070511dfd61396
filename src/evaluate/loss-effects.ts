import { contextsOptions } from "../buffer/index.ts";
import { parseBuffer } from "../config/index.ts";
import type { AutoEncoder } from "../dictionary/index.ts";
import { DictlearnError } from "../errors.ts";
import { EvaluationText } from "./evaluation-text.ts";
import { type EvaluationProgress, Measurement } from "./measurement.ts";
import { whyNoLosses } from "./next-token.ts";
import { DEFAULT_BATCH_SIZE, type SiteOptions } from "./options.ts";

export interface LossEffectsOptions extends SiteOptions {
  /** Contexts to run through the model, forward and back; fewer where the text ends. */
  readonly contexts?: number;
  readonly batchSize?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: EvaluationProgress;
}

export interface LossEffects {
  /** Rows of activations read. */
  readonly tokens: number;
  /** Next tokens predicted. */
  readonly predictions: number;
  /** For each feature: by how many nats the mean cross-entropy would rise without it. */
  readonly effects: readonly number[];
  /** For each feature, the rows on which it is not 0. */
  readonly fired: readonly number[];
}

/** Contexts to run by default. */
export const DEFAULT_LOSS_CONTEXTS = 32;

/**
 * How much the model's loss would rise if a feature were always 0 and everything else stayed, including the
 * reconstruction error: E −fᵢ (∂L/∂y · dᵢ), which is exact to first order, for all features from one backward pass.
 * Source: attribution patching, Nanda 2023; Marks et al. 2024, "Sparse Feature Circuits".
 */
export const lossEffects = async (dictionary: AutoEncoder, options: LossEffectsOptions): Promise<LossEffects> => {
  const { model, submodule, io = "out", part, buffer = {}, signal, onProgress = () => {} } = options;
  const { contexts: wanted = DEFAULT_LOSS_CONTEXTS, batchSize = DEFAULT_BATCH_SIZE } = options;
  const contexts = { ...contextsOptions(parseBuffer(buffer)), dropPartialBatch: false };
  const text = new EvaluationText(model, options.data, { contexts, part });
  const noLosses = await whyNoLosses(model);
  if (noLosses !== null) {
    throw new DictlearnError(`There are no effects on the loss: ${noLosses}`, { code: "no_losses" });
  }
  const at = { model, site: { submodule, io }, transfer: options.transfer };
  await using measurement = await Measurement.open(dictionary, at, { batchSize, onProgress, signal });
  const { size } = dictionary.shape;
  const sums = new Float64Array(size);
  const fired = new Float64Array(size);
  let tokens = 0;
  let predictions = 0;
  await text.read(async (stream) => {
    let done = 0;
    for (let exhausted = false; !exhausted && done < wanted; ) {
      const params = {
        evaluation: measurement.ref,
        contexts: stream.ref,
        n_contexts: Math.min(batchSize, wanted - done),
      };
      const { result, frames } = await fedWithFrames(
        stream,
        async () => await dictionary.worker.callWithFrames("features.loss_effects", params, { signal }),
      );
      addTo(sums, new Float64Array(bytesOf(frames[result.effects.frame])));
      addTo(fired, new BigInt64Array(bytesOf(frames[result.fired.frame])));
      tokens += result.rows;
      predictions += result.predictions;
      done += result.contexts;
      exhausted = result.exhausted;
      onProgress({ stage: "Estimating loss effects", done, total: wanted });
    }
  });
  const effects = Array.from(sums, (sum) => (predictions === 0 ? 0 : sum / predictions));
  return { tokens, predictions, effects, fired: Array.from(fired) };
};

/** As `Contexts.fed`, for a call whose response has frames. */
const fedWithFrames = async <T extends { readonly result: { readonly starved: boolean } }>(
  stream: { fed<S extends { readonly starved: boolean }>(call: () => Promise<S>): Promise<S> },
  call: () => Promise<T>,
): Promise<T> => {
  const { answer } = await stream.fed(async () => {
    const answer = await call();
    return { starved: answer.result.starved, answer };
  });
  return answer;
};

/** The frame's bytes, copied, so that they are aligned. */
const bytesOf = (frame: Uint8Array | undefined): ArrayBuffer => {
  if (frame === undefined) throw new Error("The worker sent no effects.");
  return frame.slice().buffer as ArrayBuffer;
};

const addTo = (sums: Float64Array, values: Float64Array | BigInt64Array): void => {
  for (let index = 0; index < sums.length; index++) sums[index] = (sums[index] ?? 0) + Number(values[index] ?? 0);
};
