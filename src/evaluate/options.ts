import { z } from "zod";
import { type BufferInput, bufferKinds, evaluationDefaults, parseBuffer } from "../config/index.ts";
import type { BufferSettings } from "../config/parts.ts";
import { AutoEncoder } from "../dictionary/index.ts";
import { ConfigError } from "../errors.ts";
import { LanguageModel, type SiteSpec } from "../nnsight/index.ts";
import { checkArguments, checkOptions, kinds, type OptionShape, optionsOf } from "../options/index.ts";
import { checkData, type Documents, partKind, type TextPart, type TextSource } from "../text/index.ts";
import type { EvaluationProgress } from "./measurement.ts";

/** The input of a dictionary: the activations of a model's submodule on text. */
export interface SiteOptions {
  readonly model: LanguageModel;
  /** Dotted path of the submodule. */
  readonly submodule: string;
  readonly io?: SiteSpec["io"];
  /** Allow a site where the dictionary was not trained; without it, that is an error. */
  readonly transfer?: boolean;
  /** Text that the dictionary was not trained on. It is read more than once, so it cannot be a generator. */
  readonly data: Documents | TextSource;
  /** Which of a script's documents to take; a `TextSource` has its own selection. */
  readonly part?: TextPart;
  /** How documents become contexts: the keys of the config's `buffer`. */
  readonly buffer?: BufferInput;
}

export interface EvaluateOptions extends Partial<SiteOptions> {
  /**
   * A safetensors file of cached rows: instead of a model and text, or only for the rows, with the losses from text.
   */
  readonly activations?: string;
  /** Contexts to measure rows and losses on. */
  readonly contexts?: number;
  /** Contexts run through the model at once; this decides the memory. */
  readonly batchSize?: number;
  /** Tokens among which a feature must fire once to count as alive. */
  readonly aliveTokens?: number;
  /** Tokens to count frequencies on. */
  readonly frequencyTokens?: number;
  /** `ddac948`: the reference's numbers, on one batch of its buffer and one of its contexts. */
  readonly compat?: "none" | "ddac948";
  /** Seed of the bootstrap and, with `compat`, of the buffer's draws. */
  readonly seed?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: EvaluationProgress;
}

/** The keys of `SiteOptions`, for functions that also take other keys. */
export const siteKinds: OptionShape<SiteOptions> = {
  model: kinds.made(LanguageModel, "a LanguageModel, as LanguageModel.load gives"),
  submodule: kinds.name("the path of a module, as a text"),
  io: kinds.oneOf("out", "in", "in_to_out"),
  transfer: kinds.flag(),
  // Checked separately, since it may have many types.
  data: kinds.that("documents or { path }", (value) => value !== undefined),
  part: partKind.nullable(),
  buffer: z.strictObject(bufferKinds),
};
export const SITE_REQUIRED = ["model", "submodule", "data"] as const;
/** The amount of text and the progress callback. */
export const readingKinds = {
  batchSize: kinds.whole(1),
  signal: kinds.signal(),
  onProgress: kinds.callback(),
};

const OPTIONS = optionsOf<EvaluateOptions>({
  ...siteKinds,
  ...readingKinds,
  activations: kinds.name("the path of a file, as a text"),
  contexts: kinds.whole(1),
  aliveTokens: kinds.whole(1),
  frequencyTokens: kinds.whole(1),
  compat: kinds.oneOf("none", "ddac948"),
  seed: kinds.seed(),
});

const DICTIONARY = kinds.made(AutoEncoder, "a dictionary, as AutoEncoder.load gives");

/** Throws a `ConfigError` for an invalid dictionary. */
export const checkDictionary = (caller: string, dictionary: AutoEncoder): void =>
  checkArguments(caller, { dictionary: [dictionary, DICTIONARY] });

/** Contexts to measure by default: 16 384 tokens of contexts of 128. */
export const DEFAULT_CONTEXTS = 128;
/** Few enough that the logits of a large vocabulary fit a laptop, enough that matrix products are efficient. */
export const DEFAULT_BATCH_SIZE = 8;

export interface EvaluateSettings {
  readonly at: {
    readonly model: LanguageModel;
    readonly site: SiteSpec;
    readonly data: Documents | TextSource;
    readonly transfer: boolean;
  } | null;
  readonly part: TextPart | null;
  readonly buffer: BufferSettings;
  readonly activations: string | null;
  readonly contexts: number;
  readonly batchSize: number;
  readonly aliveTokens: number;
  readonly frequencyTokens: number;
  readonly compat: "none" | "ddac948";
  readonly seed: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: EvaluationProgress;
}

/** Checks the options and fills in the defaults. Throws `ConfigError`. */
export const parseEvaluateOptions = (options: EvaluateOptions): EvaluateSettings => {
  checkOptions(OPTIONS, options, "evaluate");
  if (options.data !== undefined) checkData("evaluate", options.data);
  const { model, submodule, data, io = "out", compat = "none" } = options;
  const given = [model, submodule, data].filter((each) => each !== undefined).length;
  if (given !== 3 && (given !== 0 || options.activations === undefined)) {
    throw new ConfigError("An evaluation needs a model, a submodule and data, or a file of activations.");
  }
  return {
    at:
      model && submodule !== undefined && data !== undefined
        ? { model, site: { submodule, io }, data, transfer: options.transfer ?? false }
        : null,
    part: options.part ?? null,
    buffer: parseBuffer(options.buffer ?? {}, compat),
    activations: options.activations ?? null,
    contexts: options.contexts ?? DEFAULT_CONTEXTS,
    batchSize: options.batchSize ?? DEFAULT_BATCH_SIZE,
    aliveTokens: options.aliveTokens ?? evaluationDefaults.alive_tokens,
    frequencyTokens: options.frequencyTokens ?? evaluationDefaults.frequency_tokens,
    compat,
    seed: options.seed ?? 0,
    signal: options.signal,
    onProgress: options.onProgress ?? (() => {}),
  };
};
