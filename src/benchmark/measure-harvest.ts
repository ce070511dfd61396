import type { ActivationBuffer } from "../buffer/index.ts";
import { halved } from "../buffer/policy.ts";
import type { RunConfig } from "../config/index.ts";
import { DictlearnError } from "../errors.ts";
import { OutOfMemoryError } from "../worker/index.ts";
import { clock } from "./timing.ts";

/** The time to fill a buffer, in seconds. */
export interface HarvestTiming {
  /** One row, from text to the buffer. */
  readonly row: number;
  /** The extra time of the first pass, which opens the text and warms up the model. */
  readonly first: number;
  /** One shuffle of the full buffer. */
  readonly shuffle: number;
  readonly rows: number;
  /** Contexts run through the model at once. */
  readonly contexts: number;
}

/** Contexts of the first pass, which opens the text and warms up. */
const FIRST_CONTEXTS = 8;
/** Maximum seconds for one pass, and target for all passes. */
const PASS_SECONDS = 5;
const BUDGET_SECONDS = 8;
const LEAST_PASSES = 2;

/**
 * Runs some of the run's own text through the model, as the run does, and leaves the buffer full. Repeats the computed
 * rows to fill it. Throws a `DictlearnError` with code `no_tokens` if the text has none.
 */
export const measureHarvest = async (
  source: ActivationBuffer,
  { buffer }: Pick<RunConfig, "buffer">,
  signal?: AbortSignal,
): Promise<HarvestTiming> => {
  const { worker, ref } = source;
  let contexts = Math.min(FIRST_CONTEXTS, buffer.in_batch_size, buffer.n_ctxs);
  let room = buffer.n_ctxs;
  const pass = async (): Promise<Pass> => {
    if (contexts > room) {
      await worker.call("bench.rows", { source: ref, rows: "none" });
      room = buffer.n_ctxs;
    }
    const params = {
      source: ref,
      model: source.model,
      contexts: source.contexts,
      n_contexts: contexts,
      forward: buffer.forward,
      max_norm_multiple: buffer.max_activation_norm_multiple,
    };
    const start = performance.now();
    try {
      const { rows, exhausted } = await worker.call("buffer.append", params, { signal });
      room -= contexts;
      return { rows, exhausted, seconds: (performance.now() - start) / 1000 };
    } catch (error) {
      const fewer = error instanceof OutOfMemoryError ? halved(contexts) : undefined;
      if (fewer === undefined) throw error;
      contexts = fewer;
      return await pass();
    }
  };
  const first = await pass();
  let last = first;
  const passes: Pass[] = [];
  const sum = (key: "rows" | "seconds") => passes.reduce((total, each) => total + each[key], 0);
  contexts = passContexts(contexts, last.seconds, buffer);
  while (!last.exhausted && (passes.length < LEAST_PASSES || sum("seconds") < BUDGET_SECONDS)) {
    last = await pass();
    if (last.rows > 0) passes.push(last);
  }
  // The text may have ended in the first pass.
  if (passes.length === 0) passes.push(first);
  if (sum("rows") === 0) throw noTokens();
  await worker.call("bench.rows", { source: ref, rows: "all" });
  const shuffle = await clock(async () => await worker.call("buffer.shuffle", { source: ref }));
  const row = sum("seconds") / sum("rows");
  return { row, first: Math.max(0, first.seconds - first.rows * row), shuffle, rows: sum("rows"), contexts };
};

interface Pass {
  readonly rows: number;
  readonly seconds: number;
  readonly exhausted: boolean;
}

/** As many contexts as the run uses at once, or as fit a few seconds. */
const passContexts = (first: number, seconds: number, { in_batch_size, n_ctxs }: RunConfig["buffer"]): number =>
  Math.max(first, Math.min(in_batch_size, n_ctxs, Math.floor((first * PASS_SECONDS) / seconds)));

const noTokens = (): DictlearnError =>
  new DictlearnError("There is nothing to measure: the text has no token in it.", {
    code: "no_tokens",
    hint: "Check data.path and data.text_field.",
  });
