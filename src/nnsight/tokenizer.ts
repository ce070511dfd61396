import { checkArguments, checkOptions, kinds, optionsOf } from "../options/index.ts";
import type { HandleRef, Result } from "../protocol/index.ts";
import type { Worker } from "../worker/index.ts";
import { type Prompts, toPrompts } from "./prompts.ts";

/** Ids of one text, as plain or typed numbers. */
export type TokenIds = Iterable<number | bigint>;

/** Prompts side by side, as a trace runs them: shorter ones are padded on the left. All arrays are (prompts, tokens). */
export interface TokenBatch {
  readonly ids: readonly (readonly number[])[];
  /** 1 for a token, 0 for padding. */
  readonly mask: readonly (readonly number[])[];
  /** The position ids passed to the model; null: the model counts positions itself. */
  readonly positions: readonly (readonly number[])[] | null;
}

const ENCODE = optionsOf<{ specialTokens?: boolean }>({ specialTokens: kinds.flag() });
const DECODE = optionsOf<{ skipSpecialTokens?: boolean }>({ skipSpecialTokens: kinds.flag() });

const isId = (id: unknown): boolean => (typeof id === "bigint" || Number.isSafeInteger(id)) && Number(id) >= 0;

const numbersOf = (ids: TokenIds): number[] => {
  const given: unknown = ids;
  const list = typeof given === "object" && given !== null && Symbol.iterator in given ? [...ids] : given;
  checkArguments("Tokenizer.decode", { ids: [list, kinds.listOf("token ids", isId)] });
  return Array.from(list as TokenIds, Number);
};

/** The tokenizer of a language model. It stays in the worker. */
export class Tokenizer {
  readonly #worker: Worker;
  readonly #model: () => HandleRef;

  constructor(worker: Worker, model: () => HandleRef) {
    this.#worker = worker;
    this.#model = model;
  }

  /** The ids of one text; `specialTokens: false` omits those that the tokenizer adds. */
  async encode(text: string, options: { readonly specialTokens?: boolean } = {}): Promise<number[]> {
    checkArguments("Tokenizer.encode", { text: [text, kinds.text()] });
    checkOptions(ENCODE, options, "Tokenizer.encode");
    const params = { model: this.#model(), texts: [text], special_tokens: options.specialTokens ?? true };
    const { ids } = await this.#worker.call("tokenizer.encode", params);
    return [...(ids[0] ?? [])];
  }

  /** The text of some ids. Ids outside the vocabulary are a `RemoteError` with code `unknown_token`. */
  async decode(ids: TokenIds, options: { readonly skipSpecialTokens?: boolean } = {}): Promise<string> {
    checkOptions(DECODE, options, "Tokenizer.decode");
    const { texts } = await this.#decode(ids, { skip: options.skipSpecialTokens ?? false, pieces: false });
    return texts[0] ?? "";
  }

  /**
   * The text of every id. A character of several ids appears at the id that completes it; the others, and invalid
   * bytes, are written in hexadecimal digits: `⟨E2 82⟩`, `€`.
   */
  async pieces(ids: TokenIds): Promise<string[]> {
    const { pieces } = await this.#decode(ids, { skip: false, pieces: true });
    return [...(pieces[0] ?? [])];
  }

  /** The tokens and mask that a trace over these prompts uses. */
  async batch(prompts: Prompts): Promise<TokenBatch> {
    return await this.#worker.call("tokenizer.batch", { model: this.#model(), prompts: toPrompts(prompts) });
  }

  async #decode(ids: TokenIds, how: { skip: boolean; pieces: boolean }): Promise<Result<"tokenizer.decode">> {
    const params = { model: this.#model(), ids: [numbersOf(ids)], skip_special_tokens: how.skip };
    return await this.#worker.call("tokenizer.decode", { ...params, pieces: how.pieces });
  }
}
