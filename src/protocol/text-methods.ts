import { z } from "zod";
import { method } from "./method.ts";
import { FoundFile, Handle, int, Part } from "./types.ts";

/** Streams of documents, and the contexts they are cut into, on the `data` channel. */
export const textMethods = {
  /** Opens local files, or a folder of them, as a stream of documents. Invalid files fail here where possible. */
  "text.files": method(
    {
      path: z.string(),
      text_field: z.string(),
      /** The model whose chat template renders lists of messages as text; null: they are refused. */
      model: z.nullable(Handle),
      txt_documents: z.enum(["line", "paragraph", "file"]),
      /** For a folder whose files belong to splits, and the configuration that its README.md describes. */
      split: z.string(),
      name: z.nullable(z.string()),
      skip: int(),
      shuffle_buffer: int(),
      seed: int(),
      part: z.nullable(Part),
      /** The cache folder, for text that is slow to assemble. */
      cache: z.string(),
    },
    /** `splits`: the folder's splits. */
    { text: Handle, files: z.array(FoundFile), splits: z.array(z.string()) },
  ),
  /** Opens a Hugging Face dataset (hub id or local dataset folder) as a stream of documents. */
  "text.hub": method(
    {
      path: z.string(),
      name: z.nullable(z.string()),
      split: z.string(),
      text_field: z.string(),
      model: z.nullable(Handle),
      revision: z.nullable(z.string()),
      skip: int(),
      shuffle_buffer: int(),
      seed: int(),
      part: z.nullable(Part),
    },
    { text: Handle },
  ),
  /** A stream that the caller fills with `text.push`. */
  "text.pushed": method({ part: z.nullable(Part) }, { text: Handle }),
  "text.push": method({ text: Handle, documents: z.array(z.string()), end: z.boolean() }, {}),

  /** Cuts a stream of documents into contexts of at most `ctx_len` tokens of the model's tokenizer. */
  "contexts.open": method(
    {
      text: Handle,
      model: Handle,
      ctx_len: int(),
      /** pack: full contexts, documents joined by the end-of-text token. truncate: one document, one context, cut. */
      contexts: z.enum(["pack", "truncate"]),
      /** left-unmasked: padding on the left, and the model attends to it. */
      padding: z.enum(["right", "left-unmasked"]),
      /** Which positions are kept. mask: all but padding. pad-token: all but pad tokens, wherever they occur. */
      keep: z.enum(["mask", "pad-token"]),
      /** The pad token of a tokenizer without one. */
      pad_token: z.enum(["own", "end-of-text"]),
      /** The model's attention mask; with `left-unmasked` padding, always ones. */
      attention_mask: z.enum(["tokens", "none"]),
      exclude_special_tokens: z.boolean(),
      /** Drop the last contexts when they do not fill a whole batch. */
      drop_partial_batch: z.boolean(),
    },
    { contexts: Handle },
  ),
};
