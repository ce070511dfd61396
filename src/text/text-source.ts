import type { TextSource } from "./text-stream.ts";

/** The keys of the config's `data`. */
export interface DataKeys {
  readonly path: string;
  readonly name: string | null;
  readonly split: string;
  readonly text_field: string;
  readonly revision: string | null;
  readonly skip: number;
  readonly shuffle_buffer: number;
  readonly txt_documents: "line" | "paragraph" | "file";
  readonly evaluation_every: number | null;
}

/**
 * One part of a config's text. Documents are numbered in the order of the stream; `seed` decides the order of a
 * shuffled one: with one seed the two parts share no document. Without `evaluation_every` nothing is reserved, and both
 * are the full text.
 */
export const textSource = (data: DataKeys, take: "training" | "evaluation", seed: number): TextSource => ({
  path: data.path,
  split: data.split,
  textField: data.text_field,
  name: data.name,
  revision: data.revision,
  skip: data.skip,
  shuffleBuffer: data.shuffle_buffer,
  txtDocuments: data.txt_documents,
  seed,
  part: data.evaluation_every === null ? null : { every: data.evaluation_every, take },
});
