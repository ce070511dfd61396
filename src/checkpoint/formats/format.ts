import { DictlearnError } from "../../errors.ts";
import type { Layout, TensorInfo } from "../../protocol/index.ts";

const FORMAT_NAMES = ["dictlearn", "dictionary_learning", "sae_lens", "sparsify"] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

/** A parsed JSON object with unknown keys. */
export type JsonObject = { readonly [key: string]: unknown };

/** The numbers of a dictionary that decide how it can be stored. */
export interface StoredShape {
  readonly inputWidth: number;
  readonly outputWidth: number;
  readonly size: number;
  /** torch's name, `float32`. */
  readonly dtype: string;
  /**
   * The vector subtracted before encoding: the decoder's bias (`none`: no separate one), nothing (`zero`), or its own
   * vector (`set`).
   */
  readonly inputBias: "none" | "zero" | "set";
}

/** Where a dictionary comes from, as far as its files say; keys that they do not state are missing. */
export interface Provenance {
  readonly model?: string | undefined;
  /** The module's path in the model, `gpt_neox.layers.1.mlp`. */
  readonly submodule?: string | undefined;
  readonly io?: "out" | "in" | "in_to_out" | undefined;
  readonly layer?: number | undefined;
  /** TransformerLens's names, where the source states them. */
  readonly hookName?: string | undefined;
  readonly hookNameOut?: string | undefined;
  /** Which head of the hook, if it is a single one. */
  readonly headIndex?: number | undefined;
  readonly dataset?: string | undefined;
  readonly contextSize?: number | undefined;
  readonly excludeSpecialTokens?: boolean | undefined;
  readonly sparsityPenalty?: number | undefined;
  /** The parts of config.json that dictionary_learning defines. */
  readonly trainer?: JsonObject | undefined;
  readonly buffer?: JsonObject | undefined;
}

/** The files of a dictionary, before they are parsed. */
export interface Source {
  /** The file of weights, for messages. */
  readonly weights: string;
  readonly configPath: string;
  /** Undefined where there is no file. */
  readonly config: JsonObject | undefined;
  readonly tensors: readonly TensorInfo[];
}

/** A format's reading of a source: the layout of the tensors. */
interface Reading {
  readonly layout: Layout;
  /** The dtype that the config states, if any. */
  readonly dtype?: string | undefined;
}

/** How a format stores a dictionary. */
export interface Writing {
  readonly layout: Layout;
  readonly config: JsonObject;
}

/** One way to store a dictionary in a folder: two file names and their contents. */
export interface Format {
  readonly name: FormatName;
  /** One line for people. */
  readonly title: string;
  readonly weights: string;
  readonly config: string;
  readonly container: "pt" | "safetensors";
  /** Path of the object in the config in which the other program keeps unknown keys; `[]` is the config itself. */
  readonly foreignKeys: readonly string[];
  /** @throws {DictlearnError} `not_a_dictionary` or `not_representable`, in one sentence. */
  readonly read: (source: Source) => Reading;
  /** Where the dictionary comes from. @throws {DictlearnError} A known key has an invalid value. */
  readonly provenance: (config: JsonObject, path: string) => Provenance;
  /** @throws {DictlearnError} `not_representable`, in one sentence. */
  readonly write: (shape: StoredShape, provenance: Provenance) => Writing;
}

/** The files are damaged, or are not in the stated format. */
export const notADictionary = (path: string, reason: string, hint?: string): DictlearnError =>
  new DictlearnError(`${path} is not a dictionary that can be read: ${reason}.`, { code: "not_a_dictionary", hint });

/** The dictionary is intact, but computes something that the format cannot store. */
export const notRepresentable = (message: string, hint?: string): DictlearnError =>
  new DictlearnError(message, { code: "not_representable", hint });
