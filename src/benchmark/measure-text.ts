import { Contexts } from "../activations/index.ts";
import { contextsOptions } from "../buffer/index.ts";
import type { RunConfig } from "../config/index.ts";
import type { LanguageModel } from "../nnsight/index.ts";
import { TextStream, textSource } from "../text/index.ts";

/** Seconds after which a text counts as endless. */
const PATIENCE_SECONDS = 10;

/**
 * Number of rows in the training text, if it can be counted in a few seconds: the text is tokenised, but not run
 * through the model. null: more than `enough`, or more than there was time to read.
 */
export const rowsOfText = async (
  model: LanguageModel,
  config: RunConfig,
  { enough, signal }: { readonly enough: number; readonly signal?: AbortSignal | undefined },
): Promise<number | null> => {
  if (config.data === null) return null;
  const { worker } = model;
  await using text = await TextStream.open(worker, textSource(config.data, "training", config.seed), model);
  await using contexts = await Contexts.open(model, text, contextsOptions(config.buffer));
  const begun = performance.now();
  let rows = 0;
  while (rows <= enough && performance.now() - begun < PATIENCE_SECONDS * 1000) {
    const params = { contexts: contexts.ref, n_contexts: config.buffer.in_batch_size };
    const added = await contexts.fed(async () => await worker.call("bench.contexts", params, { signal }));
    rows += added.rows;
    if (added.exhausted) return rows;
  }
  return null;
};
