import type { RowSource } from "../buffer/index.ts";
import type { AutoEncoder } from "../dictionary/index.ts";
import type { LanguageModel, SiteSpec } from "../nnsight/index.ts";
import { requireOwnPlace } from "../places/index.ts";
import type { HandleRef, Params } from "../protocol/index.ts";
import { Handle } from "../worker/index.ts";
import { Bootstrap } from "./bootstrap.ts";
import type { EvaluationText } from "./evaluation-text.ts";
import { SUM_NAMES, sumsByContext } from "./sums.ts";

/** Rows of one group where rows have no contexts: the bootstrap draws groups instead. */
const ROWS_PER_GROUP = 32;

/** Called after every batch. `done` and `total` are contexts, or rows where there are no contexts. */
export type EvaluationProgress = (progress: { stage: string; done: number; total: number }) => void;

export interface MeasurementOptions {
  /** Contexts, or batches of rows, run through the model at once. */
  readonly batchSize: number;
  readonly onProgress: EvaluationProgress;
  readonly signal: AbortSignal | undefined;
}

export interface Firings {
  /** Rows counted. */
  readonly tokens: number;
  /** Contexts that they come from. */
  readonly contexts: number;
  /** Number of rows on which each feature fired. */
  readonly rows: readonly number[];
  /** Number of contexts in which each feature fired. */
  readonly contextsFired: readonly number[];
}

/** The amount of text read. */
export interface Gathered {
  readonly contexts: number;
  readonly rows: number;
}

/**
 * One dictionary under evaluation in the worker, which accumulates the mean of the targets and the firings of the
 * features.
 */
export class Measurement implements AsyncDisposable {
  readonly #dictionary: AutoEncoder;
  readonly #handle: Handle;
  readonly #options: MeasurementOptions;
  /** For each count of firings: rows and contexts counted so far. */
  #counted: { rows: number; contexts: number }[] = [];

  private constructor(dictionary: AutoEncoder, handle: Handle, options: MeasurementOptions) {
    this.#dictionary = dictionary;
    this.#handle = handle;
    this.#options = options;
  }

  /**
   * `at` is null where the rows have no model. Throws `other_place` or `width_mismatch` when the dictionary does not
   * fit the site.
   */
  static async open(
    dictionary: AutoEncoder,
    at: { readonly model: LanguageModel; readonly site: SiteSpec; readonly transfer?: boolean | undefined } | null,
    options: MeasurementOptions,
  ): Promise<Measurement> {
    if (at !== null && at.transfer !== true) {
      const { submodule, io } = at.site;
      const { modules } = at.model.facts;
      requireOwnPlace(dictionary.origin, { submodule: at.model.at(submodule), io }, modules);
    }
    const { evaluation } = await dictionary.worker.call("evaluate.open", {
      dictionary: dictionary.ref,
      model: at?.model.ref ?? null,
      site: at === null ? null : { submodule: at.model.at(at.site.submodule), io: at.site.io },
    });
    return new Measurement(dictionary, new Handle(dictionary.worker, evaluation, "evaluation"), options);
  }

  get ref(): HandleRef {
    return this.#handle.ref;
  }

  /**
   * Reads activations until `contexts` contexts went into the mean target and `countTokens[i]` rows into the i-th count
   * of firings, or the text ends.
   */
  async gather(
    text: EvaluationText,
    { contexts: wanted, countTokens }: { readonly contexts: number; readonly countTokens: readonly number[] },
  ): Promise<Gathered> {
    const most = Math.max(0, ...countTokens);
    let contexts = 0;
    let rows = 0;
    await text.read(async (stream) => {
      for (let exhausted = false; !exhausted && (contexts < wanted || rows < most); ) {
        const countRows = countTokens.map((tokens) => Math.max(0, tokens - rows));
        const added = await stream.fed(
          async () =>
            await this.#call("evaluate.gather", {
              evaluation: this.ref,
              contexts: stream.ref,
              n_contexts: this.#options.batchSize,
              mean_contexts: Math.max(0, wanted - contexts),
              count_rows: countRows,
            }),
        );
        this.#count(countRows, added);
        contexts += added.contexts;
        rows += added.rows;
        exhausted = added.exhausted;
        const total = Math.max(wanted, Math.ceil((most * contexts) / Math.max(rows, 1)));
        this.#options.onProgress({ stage: "Reading activations", done: Math.min(contexts, total), total });
      }
    });
    return { contexts: Math.min(contexts, wanted), rows };
  }

  /**
   * The same for rows of a source: all of `batches`, of these sizes. With `draw` false, the last batch is used again.
   */
  async gatherRows(
    source: RowSource,
    batches: readonly number[],
    { countTokens, draw }: { readonly countTokens: readonly number[]; readonly draw: boolean },
  ): Promise<void> {
    let rows = 0;
    for (const batch of batches) {
      const countRows = countTokens.map((tokens) => Math.max(0, tokens - rows));
      const groups = groupsOf(batch);
      const params = { evaluation: this.ref, source: source.ref, groups, draw, count_rows: countRows };
      await this.#call("evaluate.gather_rows", params);
      this.#count(countRows, { rows: batch, contexts: groups.length });
      rows += batch;
    }
  }

  /** The sums of `contexts` contexts from the first on. With `losses` false, only the activations are read. */
  async measure(
    text: EvaluationText,
    {
      contexts: wanted,
      ...how
    }: { readonly contexts: number } & Pick<Params<"evaluate.contexts">, "replace" | "losses">,
    sums: Bootstrap,
  ): Promise<void> {
    await text.read(async (stream) => {
      let done = 0;
      for (let exhausted = false; !exhausted && done < wanted; ) {
        const count = Math.min(this.#options.batchSize, wanted - done);
        const found = await stream.fed(
          async () =>
            await this.#call("evaluate.contexts", {
              evaluation: this.ref,
              contexts: stream.ref,
              n_contexts: count,
              ...how,
            }),
        );
        for (const each of sumsByContext(found.rows, found.losses)) sums.add(each);
        done += found.contexts;
        exhausted = found.exhausted;
        this.#options.onProgress({ stage: "Measuring losses", done, total: wanted });
      }
    });
  }

  /** The sums of rows of a source, without a model. */
  async measureRows(
    source: RowSource,
    batches: readonly number[],
    { draw, sums }: { readonly draw: boolean; readonly sums: Bootstrap },
  ): Promise<void> {
    const total = batches.reduce((sum, rows) => sum + rows, 0);
    let done = 0;
    for (const batch of batches) {
      const params = { evaluation: this.ref, source: source.ref, groups: groupsOf(batch), draw };
      const found = await this.#call("evaluate.rows", params);
      for (const each of sumsByContext(found.rows, null)) sums.add(each);
      done += batch;
      this.#options.onProgress({ stage: "Measuring rows", done, total });
    }
  }

  /** The i-th count of firings so far; null when no row was counted. */
  async firings(count: number): Promise<Firings | null> {
    const counted = this.#counted[count];
    if (counted === undefined || counted.rows === 0) return null;
    const params = { evaluation: this.ref, count };
    const { result, frames } = await this.#dictionary.worker.callWithFrames("evaluate.firings", params, {});
    return {
      tokens: counted.rows,
      contexts: counted.contexts,
      rows: integers(frames[result.rows.frame]),
      contextsFired: integers(frames[result.groups.frame]),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.release();
  }

  async #call<M extends "evaluate.gather" | "evaluate.gather_rows" | "evaluate.contexts" | "evaluate.rows">(
    method: M,
    params: Params<M>,
  ) {
    return await this.#dictionary.worker.call(method, params, { signal: this.#options.signal });
  }

  /** Tracks the worker's counts: only the first `countRows[i]` rows of those added. */
  #count(countRows: readonly number[], added: { readonly rows: number; readonly contexts: number }): void {
    this.#counted = countRows.map((rows, index) => {
      const before = this.#counted[index] ?? { rows: 0, contexts: 0 };
      if (rows === 0) return before;
      const share = Math.min(1, rows / Math.max(added.rows, 1));
      return {
        rows: before.rows + Math.min(rows, added.rows),
        contexts: before.contexts + Math.ceil(added.contexts * share),
      };
    });
  }
}

/** A bootstrap of all sums. */
export const newSums = (seed: number): Bootstrap => new Bootstrap(SUM_NAMES.length, seed);

const groupsOf = (rows: number): number[] => {
  const full = Math.floor(rows / ROWS_PER_GROUP);
  const rest = rows - full * ROWS_PER_GROUP;
  return [...Array.from({ length: full }, () => ROWS_PER_GROUP), ...(rest > 0 ? [rest] : [])];
};

/** int64 numbers of a frame, all of which are safe integers. */
const integers = (frame: Uint8Array | undefined): number[] => {
  if (frame === undefined) throw new Error("The worker sent no counts.");
  return Array.from(new BigInt64Array(frame.slice().buffer), Number);
};
