import { ConfigError } from "../errors.ts";
import type { Params } from "../protocol/index.ts";

/** One prompt or several: texts, or token ids. */
export type Prompts = string | readonly string[] | readonly (readonly number[])[];

/** Prompts as they are sent; no prompts, or one without tokens, is a `ConfigError`. */
export const toPrompts = (prompts: Prompts): Params<"tokenizer.batch">["prompts"] => {
  const list: unknown = typeof prompts === "string" ? [prompts] : prompts;
  if (!isPrompts(list)) throw new ConfigError("A prompt is a text, or a list of token ids.", { hint: HINT });
  const texts = list.filter((each) => typeof each === "string");
  const tokens = list.filter((each) => typeof each !== "string");
  if (list.length === 0 || texts.includes("") || tokens.some((ids) => ids.length === 0)) {
    throw new ConfigError("A prompt must have at least one token, and there must be one.", {
      hint: HINT,
    });
  }
  if (texts.length > 0 && tokens.length > 0) {
    throw new ConfigError("Prompts must be texts or lists of token ids, not some of each.");
  }
  return texts.length > 0
    ? { texts: [...texts], tokens: null }
    : { texts: null, tokens: tokens.map((ids) => Array.from(ids)) };
};

const HINT = 'Give a text such as "The capital of France is", a list of texts, or a list of lists of token ids.';

/** Plain JavaScript can pass anything. */
const isPrompts = (list: unknown): list is readonly (string | readonly number[])[] =>
  Array.isArray(list) &&
  list.every((each) => typeof each === "string" || (Array.isArray(each) && each.every(Number.isSafeInteger)));
