import { type BufferInput, evaluationDefaults, parseBuffer } from "../config/index.ts";
import type { BufferSettings } from "../config/parts.ts";
import { ConfigError } from "../errors.ts";
import type { LanguageModel, SiteSpec } from "../nnsight/index.ts";
import type { Documents, TextPart, TextSource } from "../text/index.ts";
import type { EvaluationProgress } from "./measurement.ts";

/** What a dictionary reads: a submodule of a model while it reads text. */
export interface SiteOptions {
  readonly model: LanguageModel;
  /** Dotted path of the submodule. */
  readonly submodule: string;
  readonly io?: SiteSpec["io"];
  /** Text that the dictionary was not trained on. It is read more than once, so it cannot be a generator. */
  readonly data: Documents | TextSource;
  /** Which of a script's documents to take; a `TextSource` says so itself. */
  readonly part?: TextPart;
  /** How documents become contexts: the keys of the config's `buffer`. */
  readonly buffer?: BufferInput;
}

export interface EvaluateOptions extends Partial<SiteOptions> {
  /** A safetensors file of cached rows: instead of a model and text, or for the rows alone with the losses from text. */
  readonly activations?: string;
  /** Contexts whose rows and losses are measured. */
  readonly contexts?: number;
  /** Contexts that are run through the model at once: what decides the memory. */
  readonly batchSize?: number;
  /** Tokens on which a feature must fire once to count as alive. */
  readonly aliveTokens?: number;
  /** Tokens on which frequencies are counted. */
  readonly frequencyTokens?: number;
  /** `ddac948`: the reference's numbers, on one batch of its buffer and one of its contexts. */
  readonly compat?: "none" | "ddac948";
  /** Of the bootstrap and, with `compat`, of the buffer's draws. */
  readonly seed?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: EvaluationProgress;
}

/** Contexts that are measured unless stated otherwise: 16 384 tokens of contexts of 128. */
export const DEFAULT_CONTEXTS = 128;
/** So few that the logits of a large vocabulary fit a laptop, so many that a matrix product is worth its while. */
export const DEFAULT_BATCH_SIZE = 8;

export interface EvaluateSettings {
  readonly at: { readonly model: LanguageModel; readonly site: SiteSpec; readonly data: Documents | TextSource } | null;
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
  const { model, submodule, data, io = "out", compat = "none" } = options;
  for (const key of ["contexts", "batchSize", "aliveTokens", "frequencyTokens"] as const) {
    const value = options[key];
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 1)) {
      throw new ConfigError(`${key} is ${value}, but must be a whole number of at least 1.`);
    }
  }
  const given = [model, submodule, data].filter((each) => each !== undefined).length;
  if (given !== 3 && (given !== 0 || options.activations === undefined)) {
    throw new ConfigError("An evaluation needs a model, a submodule and data, or a file of activations.");
  }
  return {
    at: model && submodule !== undefined && data !== undefined ? { model, site: { submodule, io }, data } : null,
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
