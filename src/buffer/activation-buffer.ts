import { Contexts, type ContextsOptions } from "../activations/index.ts";
import {
  type BufferInput,
  type BufferSettings,
  bufferKinds,
  parseFilledBuffer,
  refuseRunKeys,
} from "../config/index.ts";
import { DictlearnError } from "../errors.ts";
import { LanguageModel, resolveDevice, type SiteSpec, type Widths } from "../nnsight/index.ts";
import { checkArguments, checkOptions, isPlain, kinds, optionsOf } from "../options/index.ts";
import type { DictionaryOrigin } from "../places/index.ts";
import type { HandleRef } from "../protocol/index.ts";
import { randomStream } from "../seeds.ts";
import { checkData, type Documents, seeded, type TextSource, TextStream } from "../text/index.ts";
import { Handle, OutOfMemoryError, Scope, type Worker } from "../worker/index.ts";
import { allocatedRows, type BufferShape, contextsToAppend, drawableBatches, halved, needsRefresh } from "./policy.ts";
import type { SourcePosition } from "./position.ts";
import { checkMost, type Recipe, type ResumableSource, type Shortage, type SourceFile } from "./row-source.ts";

export interface ActivationBufferOptions extends Omit<BufferShape, "capacity"> {
  /** Contexts that the buffer holds; its capacity is nCtxs · ctxLen rows. */
  readonly nCtxs: number;
  readonly device: string;
  readonly dtype: "float32" | "float64" | "bfloat16";
  /** The torch.Generator that permutes the rows. */
  readonly generator: HandleRef;
  /** `shuffled`: one permutation per refresh. `randperm-each`: the reference's, one over all unread rows per batch. */
  readonly draws: "shuffled" | "randperm-each";
  /** Whether the worker remembers the tokens of the rows held, so that an exact state can be written. */
  readonly keepContexts?: boolean;
  /** The options that a script creates it from. */
  readonly recipe?: Recipe;
  readonly events?: BufferEvents;
  /** The resources released with the buffer; without it, the buffer alone. */
  readonly scope?: Scope;
}

/** The keys of the config's `buffer`, and the other options of a single buffer. */
export interface ActivationBufferInput extends BufferInput {
  readonly io?: SiteSpec["io"];
  readonly seed?: number;
  readonly dtype?: "float32" | "float64" | "bfloat16";
}

const OPTIONS = optionsOf<ActivationBufferInput>({
  ...bufferKinds,
  io: kinds.oneOf("out", "in", "in_to_out"),
  seed: kinds.seed(),
  dtype: kinds.dtype(),
});
const MODEL = kinds.made(LanguageModel, "a LanguageModel, as LanguageModel.load gives");

/** Called while the buffer is filled. */
export interface BufferEvents {
  /** After every append: unread rows of `capacity`, and all tokens run through the model so far. */
  readonly filling?: (unread: number, capacity: number, tokens: number) => void;
  /** The model ran out of memory, and continues with this many contexts at once. */
  readonly smallerBatches?: (inBatchSize: number) => void;
  /** After every refresh. */
  readonly refreshed?: (refresh: { rows: number; contexts: number; seconds: number; exhausted: boolean }) => void;
}

/**
 * Activations of one or more sites of a model, filled by one forward pass for all of them and sampled in batches. The rows
 * stay in the worker until `close`, or the end of a block with `await using`.
 */
export class ActivationBuffer implements ResumableSource, AsyncDisposable {
  readonly worker: Worker;
  readonly widths: readonly Widths[];
  readonly origins: readonly DictionaryOrigin[];
  readonly recipe: Recipe | null;
  readonly generator: HandleRef;
  shape: BufferShape;
  readonly #handle: Handle;
  readonly #scope: Scope;
  readonly #contexts: Contexts;
  readonly #draws: ActivationBufferOptions["draws"];
  readonly #events: BufferEvents;
  #unread = 0;
  #exhausted = false;
  #tokens = 0;
  /** Progress of the current refresh; undefined between two of them. */
  #refreshing: { rows: number; contexts: number } | undefined;

  private constructor(
    handle: Handle,
    contexts: Contexts,
    { sites, widths }: { readonly sites: readonly SiteSpec[]; readonly widths: readonly Widths[] },
    options: ActivationBufferOptions,
  ) {
    this.worker = handle.worker;
    this.widths = widths;
    this.origins = sites.map(({ submodule, io }) => ({ model: contexts.model.path, submodule, io }));
    this.recipe = options.recipe ?? null;
    this.generator = options.generator;
    this.shape = shapeOf(options);
    this.#handle = handle;
    this.#scope = options.scope?.move() ?? new Scope();
    this.#scope.use(handle);
    this.#contexts = contexts;
    this.#draws = options.draws;
    this.#events = options.events ?? {};
  }

  /**
   * A buffer for one submodule, from text and a model. `options` are the keys of the config's `buffer`; activations
   * stay in the worker. Throws `RemoteError` with code `unknown_submodule` and the nearest paths.
   */
  static async create(
    data: Documents | TextSource,
    model: LanguageModel,
    submodule: string,
    input: ActivationBufferInput = {},
  ): Promise<ActivationBuffer> {
    checkData("ActivationBuffer.create", data);
    checkArguments("ActivationBuffer.create", { model: [model, MODEL], submodule: [submodule, kinds.text()] });
    if (isPlain(input)) refuseRunKeys(input, "ActivationBuffer.create");
    checkOptions(OPTIONS, input, "ActivationBuffer.create");
    const { io = "out", seed = 0, dtype = "float32", ...options } = input;
    const { worker } = model;
    const settings = parseFilledBuffer(options, "ActivationBuffer.create");
    const site = { submodule: model.at(submodule), io };
    const device = resolveDevice(worker, settings.device);
    await using scope = new Scope();
    const text = scope.use(
      isSource(data) ? await TextStream.open(worker, seeded(data, seed), model) : await TextStream.from(worker, data),
    );
    const contexts = scope.use(await Contexts.open(model, text, contextsOptions(settings)));
    const generator = scope.use(await randomStream(worker, seed, "buffer")).ref;
    const how = { ...bufferOptions(settings), dtype, device, generator, scope };
    if (!isSource(data)) return await ActivationBuffer.open(contexts, [site], how);
    // Only text that can be read again can be resumed.
    const recipe = { model: model.path, data, ...site, seed, dtype, buffer: settings };
    return await ActivationBuffer.open(contexts, [site], { ...how, keepContexts: true, recipe });
  }

  /** Finds the sites' widths by a trial trace and allocates the rows in the worker. */
  static async open(
    contexts: Contexts,
    sites: readonly SiteSpec[],
    options: ActivationBufferOptions,
  ): Promise<ActivationBuffer> {
    const { worker, model } = contexts;
    const widths = await model.widths(sites);
    const { source } = await worker.call("buffer.create", {
      sites: [...sites],
      widths: widths.map(({ input, output }) => ({ input_width: input, output_width: output })),
      rows: allocatedRows(shapeOf(options)),
      dtype: options.dtype,
      device: options.device,
      generator: options.generator,
      draws: options.draws,
      keep_contexts: options.keepContexts ?? false,
    });
    return new ActivationBuffer(new Handle(worker, source, "buffer"), contexts, { sites, widths }, options);
  }

  get ref(): HandleRef {
    return this.#handle.ref;
  }

  get contexts(): HandleRef {
    return this.#contexts.ref;
  }

  get model(): HandleRef {
    return this.#contexts.model.ref;
  }

  get inputs(): readonly SourceFile[] {
    const { model, text } = this.#contexts;
    return [
      ...model.files.map((file): SourceFile => ({ ...file, of: "model" })),
      ...text.files.map((file): SourceFile => ({ ...file, of: "text" })),
    ];
  }

  /** The model that fills it. */
  get languageModel(): LanguageModel {
    return this.#contexts.model;
  }

  get batchRows(): number {
    return this.shape.outBatchSize;
  }

  get shortage(): Shortage {
    if (this.#tokens > this.#unread) return "used-up";
    return this.shape.remainingRows === "drop" || this.#contexts.dropsPartialBatch ? "dropped" : "no-text";
  }

  /** Tokens whose activations were stored. */
  get tokens(): number {
    return this.#tokens;
  }

  async fill(signal?: AbortSignal): Promise<boolean> {
    const due = !this.#exhausted && needsRefresh(this.#unread, this.shape);
    if (due || this.#refreshing !== undefined) await this.#refresh(signal);
    return drawableBatches(this.#unread, this.#exhausted, 1, this.shape).length > 0;
  }

  async batchesLeft(signal?: AbortSignal): Promise<number | null> {
    await this.fill(signal);
    if (!this.#exhausted) return null;
    return drawableBatches(this.#unread, true, Number.POSITIVE_INFINITY, this.shape).length;
  }

  /** Refreshes when the policy says so, then grants batches. */
  async next(most: number, signal?: AbortSignal): Promise<readonly number[]> {
    checkMost(most);
    await this.fill(signal);
    const batches = drawableBatches(this.#unread, this.#exhausted, most, this.shape);
    for (const rows of batches) this.#unread -= rows;
    return batches;
  }

  position(): SourcePosition {
    return {
      kind: "buffer",
      unread: this.#unread,
      exhausted: this.#exhausted,
      tokens: this.#tokens,
      inBatchSize: this.shape.inBatchSize,
      refreshing: this.#refreshing === undefined ? null : { ...this.#refreshing },
    };
  }

  resumeAt(position: SourcePosition): void {
    if (position.kind !== "buffer") throw new Error("The position is one of cached rows.");
    this.#unread = position.unread;
    this.#exhausted = position.exhausted;
    this.#tokens = position.tokens;
    this.#refreshing = position.refreshing ?? undefined;
    this.shape = { ...this.shape, inBatchSize: position.inBatchSize };
  }

  async #refresh(signal: AbortSignal | undefined): Promise<void> {
    const started = performance.now();
    this.#refreshing ??= { rows: 0, contexts: 0 };
    const done = this.#refreshing;
    while (!this.#exhausted) {
      const wanted = contextsToAppend(this.#unread, this.shape);
      if (wanted === 0) break;
      const added = await this.#append(wanted, signal);
      if (added === undefined) continue;
      this.#unread += added.rows;
      this.#tokens += added.rows;
      done.rows += added.rows;
      done.contexts += added.contexts;
      this.#exhausted = added.exhausted;
      this.#events.filling?.(this.#unread, this.shape.capacity, this.#tokens);
    }
    if (this.#draws === "shuffled") await this.worker.call("buffer.shuffle", { source: this.ref });
    this.#refreshing = undefined;
    const seconds = (performance.now() - started) / 1000;
    this.#events.refreshed?.({ ...done, seconds, exhausted: this.#exhausted });
  }

  /** undefined: it did not fit the memory, and the next append will be half as large. */
  async #append(wanted: number, signal: AbortSignal | undefined) {
    try {
      return await this.#contexts.appendTo(this.ref, wanted, signal);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      const inBatchSize = halved(Math.min(wanted, this.shape.inBatchSize));
      if (inBatchSize === undefined) {
        throw new DictlearnError(`${error.message} Even one context at once is too much.`, {
          code: error.code,
          hint: "Lower buffer.ctx_len, or use another device.",
          cause: error,
        });
      }
      this.shape = { ...this.shape, inBatchSize };
      this.#events.smallerBatches?.(inBatchSize);
      return undefined;
    }
  }

  /** Frees the rows and the text stream that `create` opened; the model stays open. */
  async close(): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The keys of a config's `buffer` that decide how contexts are cut. */
export const contextsOptions = (settings: BufferSettings): ContextsOptions => ({
  ctxLen: settings.ctx_len,
  contexts: settings.contexts,
  padding: settings.padding,
  keep: settings.keep,
  excludeSpecialTokens: settings.exclude_special_tokens,
  padToken: settings.pad_token,
  attentionMask: settings.attention_mask,
  dropPartialBatch: settings.partial_batches === "drop",
  forward: settings.forward,
  maxNormMultiple: settings.max_activation_norm_multiple,
});

/** The keys of a config's `buffer` that decide how rows are kept and drawn. */
export const bufferOptions = (settings: BufferSettings) => ({
  nCtxs: settings.n_ctxs,
  ctxLen: settings.ctx_len,
  inBatchSize: settings.in_batch_size,
  outBatchSize: settings.out_batch_size,
  refreshBelow: settings.refresh_below,
  append: settings.append,
  batchAhead: settings.batch_ahead,
  remainingRows: settings.remaining_rows,
  draws: settings.draws,
});

const isSource = (data: Documents | TextSource): data is TextSource => "path" in data;

/** The settings of a buffer that the policy needs. */
export const bufferShape = (settings: BufferSettings): BufferShape => shapeOf(bufferOptions(settings));

const shapeOf = (options: Omit<BufferShape, "capacity"> & { readonly nCtxs: number }): BufferShape => ({
  ...options,
  capacity: options.nCtxs * options.ctxLen,
});
