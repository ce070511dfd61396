import type { LanguageModel } from "../nnsight/index.ts";
import type { HandleRef, Result } from "../protocol/index.ts";
import type { TextStream } from "../text/index.ts";
import { Handle, type Worker } from "../worker/index.ts";

export interface ContextsOptions {
  readonly ctxLen: number;
  /** `pack`: full contexts, documents joined by the end-of-text token. `truncate`: one document, one context, cut. */
  readonly contexts: "pack" | "truncate";
  /** `left-unmasked`: what nnsight did in December 2023, padding on the left that the model attends to. */
  readonly padding: "right" | "left-unmasked";
  /** `mask`: the attention mask says what padding is. `pad-token`: every pad token is dropped, and the model gets no mask. */
  readonly keep: "mask" | "pad-token";
  readonly excludeSpecialTokens: boolean;
  /** Drop the last contexts when they do not fill a whole batch. */
  readonly dropPartialBatch: boolean;
}

/** A stream of text, cut into contexts of the model's tokens, ready to be run through the model. */
export class Contexts implements AsyncDisposable {
  readonly worker: Worker;
  readonly model: LanguageModel;
  readonly #text: TextStream;
  readonly #handle: Handle;

  private constructor(model: LanguageModel, text: TextStream, handle: Handle) {
    this.worker = model.worker;
    this.model = model;
    this.#text = text;
    this.#handle = handle;
  }

  static async open(model: LanguageModel, text: TextStream, options: ContextsOptions): Promise<Contexts> {
    const { contexts } = await model.worker.call("contexts.open", {
      text: text.ref,
      model: model.ref,
      ctx_len: options.ctxLen,
      contexts: options.contexts,
      padding: options.padding,
      keep: options.keep,
      exclude_special_tokens: options.excludeSpecialTokens,
      drop_partial_batch: options.dropPartialBatch,
    });
    return new Contexts(model, text, new Handle(model.worker, contexts, "stream of contexts"));
  }

  /** Runs up to `count` contexts through the model, once for all sites of the buffer, and stores the rows there. */
  async appendTo(buffer: HandleRef, count: number, signal?: AbortSignal): Promise<Result<"buffer.append">> {
    for (;;) {
      const params = { source: buffer, model: this.model.ref, contexts: this.#handle.ref, n_contexts: count };
      const added = await this.worker.call("buffer.append", params, { signal });
      if (!added.starved) return added;
      await this.#text.feed();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.release();
  }
}
