import type { LanguageModel } from "../nnsight/index.ts";
import type { HandleRef, Result } from "../protocol/index.ts";
import type { TextStream } from "../text/index.ts";
import { Handle, type Worker } from "../worker/index.ts";

export interface ContextsOptions {
  readonly ctxLen: number;
  /** `pack`: full contexts, documents joined by the end-of-text token. `truncate`: one document, one context, cut. */
  readonly contexts: "pack" | "truncate";
  /** `left-unmasked`: as in nnsight in December 2023, padding on the left that the model attends to. */
  readonly padding: "right" | "left-unmasked";
  /** Positions that are kept. `mask`: all but padding. `pad-token`: all but pad tokens, wherever they occur. */
  readonly keep: "mask" | "pad-token";
  /** The pad token of a tokenizer without one: none, or the end-of-text token. */
  readonly padToken: "own" | "end-of-text";
  /** Whether the model is told which tokens are padding. */
  readonly attentionMask: "tokens" | "none";
  readonly excludeSpecialTokens: boolean;
  /** Drop the last contexts when they do not fill a whole batch. */
  readonly dropPartialBatch: boolean;
  /** `partial`: the model stops after the last site that is read. */
  readonly forward: "partial" | "full";
  /** Rows whose norm is above this multiple of the median of their pass are left out; null keeps all. */
  readonly maxNormMultiple: number | null;
}

/** A stream of text, cut into contexts of the model's tokens, ready to be run through the model. */
export class Contexts implements AsyncDisposable {
  readonly worker: Worker;
  readonly model: LanguageModel;
  readonly text: TextStream;
  readonly #handle: Handle;
  readonly #options: ContextsOptions;

  private constructor(model: LanguageModel, text: TextStream, handle: Handle, options: ContextsOptions) {
    this.worker = model.worker;
    this.model = model;
    this.text = text;
    this.#handle = handle;
    this.#options = options;
  }

  static async open(model: LanguageModel, text: TextStream, options: ContextsOptions): Promise<Contexts> {
    const { contexts } = await model.worker.call("contexts.open", {
      text: text.ref,
      model: model.ref,
      ctx_len: options.ctxLen,
      contexts: options.contexts,
      padding: options.padding,
      keep: options.keep,
      pad_token: options.padToken,
      attention_mask: options.attentionMask,
      exclude_special_tokens: options.excludeSpecialTokens,
      drop_partial_batch: options.dropPartialBatch,
    });
    return new Contexts(model, text, new Handle(model.worker, contexts, "stream of contexts"), options);
  }

  get ref(): HandleRef {
    return this.#handle.ref;
  }

  /** Whether contexts at the end of the text that do not fill a batch are dropped. */
  get dropsPartialBatch(): boolean {
    return this.#options.dropPartialBatch;
  }

  /** Runs up to `count` contexts through the model, once for all sites of the buffer, and stores the rows there. */
  async appendTo(buffer: HandleRef, count: number, signal?: AbortSignal): Promise<Result<"buffer.append">> {
    const params = {
      source: buffer,
      model: this.model.ref,
      contexts: this.#handle.ref,
      n_contexts: count,
      forward: this.#options.forward,
      max_norm_multiple: this.#options.maxNormMultiple,
    };
    return await this.fed(async () => await this.worker.call("buffer.append", params, { signal }));
  }

  /** Makes a call that takes contexts, and repeats it after sending more text while there is too little. */
  async fed<T extends { readonly starved: boolean }>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      const result = await call();
      if (!result.starved) return result;
      await this.text.feed();
    }
  }

  /** Releases the contexts; the underlying text has its own owner. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.release();
  }
}
