import { DictlearnError } from "../../errors.ts";
import type { Layout, TensorInfo } from "../../protocol/index.ts";

const FORMAT_NAMES = ["dictlearn", "dictionary_learning", "sae_lens", "sparsify"] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

/** A parsed JSON object whose keys are not ours to know. */
export type JsonObject = { readonly [key: string]: unknown };

/** A dictionary's numbers that decide how it can be stored. */
export interface StoredShape {
  readonly inputWidth: number;
  readonly outputWidth: number;
  readonly size: number;
  /** torch's name, `float32`. */
  readonly dtype: string;
  /** What is subtracted before encoding: the decoder's bias (`none` of its own), nothing (`zero`), or a vector (`set`). */
  readonly inputBias: "none" | "zero" | "set";
}

/** Where a dictionary comes from, as far as its files say; a key that they do not state is not there. */
export interface Provenance {
  readonly model?: string | undefined;
  /** The module's path in the model, `gpt_neox.layers.1.mlp`. */
  readonly submodule?: string | undefined;
  readonly io?: "out" | "in" | "in_to_out" | undefined;
  readonly layer?: number | undefined;
  /** TransformerLens's names, where the source states them. */
  readonly hookName?: string | undefined;
  readonly hookNameOut?: string | undefined;
  /** Which head of the hook, where it is one alone. */
  readonly headIndex?: number | undefined;
  readonly dataset?: string | undefined;
  readonly contextSize?: number | undefined;
  readonly excludeSpecialTokens?: boolean | undefined;
  readonly sparsityPenalty?: number | undefined;
  /** dictionary_learning's own parts of its config.json. */
  readonly trainer?: JsonObject | undefined;
  readonly buffer?: JsonObject | undefined;
}

/** The files of a dictionary, before they are understood. */
export interface Source {
  /** The file of weights, for messages. */
  readonly weights: string;
  readonly configPath: string;
  /** Undefined where there is no file. */
  readonly config: JsonObject | undefined;
  readonly tensors: readonly TensorInfo[];
}

/** What a format makes of a source: how the tensors lie. */
interface Reading {
  readonly layout: Layout;
  /** The dtype that the config promises, where it does. */
  readonly dtype?: string | undefined;
}

/** How a format stores a dictionary. */
export interface Writing {
  readonly layout: Layout;
  readonly config: JsonObject;
}

/** One way of keeping a dictionary in a folder: two file names, and what is in them. */
export interface Format {
  readonly name: FormatName;
  /** One line for people. */
  readonly title: string;
  readonly weights: string;
  readonly config: string;
  readonly container: "pt" | "safetensors";
  /** The object in the config below which the other program keeps keys that it does not know; `[]` is the config itself. */
  readonly foreignKeys: readonly string[];
  /** @throws {DictlearnError} `not_a_dictionary` or `not_representable`, in one sentence. */
  readonly read: (source: Source) => Reading;
  /** Where the dictionary comes from. @throws {DictlearnError} A key that is known has a wrong value. */
  readonly provenance: (config: JsonObject, path: string) => Provenance;
  /** @throws {DictlearnError} `not_representable`, in one sentence. */
  readonly write: (shape: StoredShape, provenance: Provenance) => Writing;
}

/** The files are damaged, or are not what they are said to be. */
export const notADictionary = (path: string, reason: string, hint?: string): DictlearnError =>
  new DictlearnError(`${path} is not a dictionary that can be read: ${reason}.`, { code: "not_a_dictionary", hint });

/** The dictionary is whole, but computes something that cannot be stored so. */
export const notRepresentable = (message: string, hint?: string): DictlearnError =>
  new DictlearnError(message, { code: "not_representable", hint });
