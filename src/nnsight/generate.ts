import { ConfigError } from "../errors.ts";
import { checkOptions, kinds, optionsOf } from "../options/index.ts";
import type { HandleRef, Params, Progress } from "../protocol/index.ts";
import type { Worker } from "../worker/index.ts";
import { type Prompts, toPrompts } from "./prompts.ts";
import {
  filled,
  type Program,
  programOf,
  type Recording,
  releaseAll,
  type Traced,
  TraceError,
  type TraceInvoke,
  tensorsOf,
} from "./trace/index.ts";

const DEFAULT_TOKENS = 20;

/** `T`: the return type of `intervene`, void unless it saves values. */
export interface GenerateOptions<T = void> {
  /** Maximum number of new tokens for each prompt; 20 by default. */
  readonly maxNewTokens?: number;
  /** Minimum number of new tokens: the end-of-text token cannot come earlier. */
  readonly minNewTokens?: number;
  /** Texts that end a continuation as soon as it contains one of them. */
  readonly stop?: string | readonly string[];
  /** Samples tokens instead of taking the likeliest one; the same seed draws the same tokens. */
  readonly sample?: {
    readonly seed: number;
    readonly temperature?: number;
    readonly topK?: number;
    readonly topP?: number;
  };
  /**
   * The intervention in every pass of the model: one over the prompts, and one for each new token after the first,
   * which sees only that token, so `position(-1)` is the newest. Recorded once, like a trace, with the same reads,
   * writes and saves.
   */
  readonly intervene?: (t: TraceInvoke) => T;
  readonly signal?: AbortSignal;
  /** Called for each token: `done` of at most `total`. */
  readonly onProgress?: (progress: Progress) => void;
}

/** How the model continued one prompt. */
export interface Continuation {
  /** The new text, without special tokens. */
  readonly text: string;
  /** The ids of the new tokens, including an end-of-text token. */
  readonly ids: readonly number[];
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** `length`: maxNewTokens was reached. `end`: the model ended the text. `text`: one of `stop` appeared. */
  readonly stopped: "length" | "end" | "text";
}

/** A generation in which `intervene` saved values; `await using` frees all of them at once. */
export interface Generation<T> extends AsyncDisposable {
  /** One for each prompt. */
  readonly continuations: readonly Continuation[];
  /** The values saved in each pass of the model: the first read the prompts, each later one the newest token. */
  readonly passes: readonly Traced<T>[];
}

/** Continues each prompt. See `LanguageModel.generate`. */
export const generate = async <T>(
  model: { readonly worker: Worker; readonly ref: HandleRef },
  prompts: Prompts,
  { recording, ...options }: GenerateOptions<T> & { readonly recording?: Recording<T> },
): Promise<Continuation[] | Generation<T>> => {
  const { worker, ref } = model;
  const program = recording === undefined ? undefined : generationProgram(recording);
  const operations = program?.program.map(({ operation }) => operation) ?? [];
  const params = { model: ref, prompts: toPrompts(prompts), ...toNumbers(options), program: operations };
  const { signal, onProgress } = options;
  const { ids, texts, prompt_tokens, stopped, saved } = await worker
    .call("model.generate", params, { signal, onProgress, frames: program?.frames ?? [] })
    .catch((error: unknown) => {
      throw program === undefined ? error : program.located(error);
    });
  const continuations = texts.map((text, index) => ({
    text,
    ids: ids[index] ?? [],
    promptTokens: prompt_tokens[index] ?? 0,
    stopped: stopped[index] ?? "length",
  }));
  if (program === undefined || recording?.returned === undefined) return continuations;
  const { order } = program;
  const tensors = saved.map((each) => tensorsOf(worker, each, order));
  return {
    continuations,
    passes: tensors.map((each) => filled(recording.returned, each)),
    [Symbol.asyncDispose]: async () => await releaseAll(tensors),
  };
};

/**
 * The recording of a callback for every pass of a generation. Throws a `TraceError` for operations that a generation
 * does not support.
 */
const generationProgram = (recording: Recording<unknown>): Program => {
  const { site, returned } = recording;
  // It may return nothing, unlike a trace.
  const found = programOf({ ...recording, returned: returned ?? [] });
  const gradient = found.program.find(({ operation }) => operation.op === "gradient");
  if (gradient !== undefined) {
    throw new TraceError("a generation keeps no gradients", {
      code: "trace_gradient",
      operation: "gradient",
      site: gradient.site,
      hint: "Take the gradient in a trace, and use what it saved.",
    });
  }
  // Passes are counted by the operations on the model in them.
  const reads = found.program.some(({ operation }) => operation.op === "read" || operation.op === "write");
  if (found.program.length > 0 && !reads) {
    throw new TraceError("intervene saves nothing of the model", {
      code: "trace_misuse",
      operation: "generate",
      site,
      hint: "Save a module's input or output, or what is computed from one.",
    });
  }
  return found;
};

const toNumbers = (
  options: GenerateOptions<unknown>,
): Omit<Params<"model.generate">, "model" | "prompts" | "program"> => {
  const { maxNewTokens = DEFAULT_TOKENS, minNewTokens = 0, stop = [], sample } = options;
  return {
    max_new_tokens: maxNewTokens,
    min_new_tokens: minNewTokens,
    stop: typeof stop === "string" ? [stop] : [...stop],
    sample:
      sample === undefined
        ? null
        : {
            seed: sample.seed,
            temperature: sample.temperature ?? 1,
            top_k: sample.topK ?? null,
            top_p: sample.topP ?? null,
          },
  };
};

/** Throws a `ConfigError` for unknown options and invalid types. */
export const checkGenerateOptions = (options: GenerateOptions<unknown>): void => {
  checkOptions(OPTIONS, options, "generate");
  const { maxNewTokens = DEFAULT_TOKENS, minNewTokens = 0 } = options;
  if (minNewTokens > maxNewTokens) {
    throw new ConfigError(`generate: minNewTokens is ${minNewTokens}, but maxNewTokens is ${maxNewTokens}.`);
  }
};

type Sampling = NonNullable<GenerateOptions["sample"]>;

const OPTIONS = optionsOf<GenerateOptions<unknown>>({
  maxNewTokens: kinds.that<number>(
    "a whole number above 0",
    (value) => Number.isSafeInteger(value) && (value as number) > 0,
  ),
  minNewTokens: kinds.whole(0),
  stop: kinds.that("a text, or a list of texts, that are not empty", (value) =>
    [value].flat().every((each) => typeof each === "string" && each !== ""),
  ),
  sample: optionsOf<Sampling>(
    {
      seed: kinds.seed(),
      temperature: kinds.aboveZero(),
      topK: kinds.whole(1),
      topP: kinds.that<number>(
        "a number above 0 and at most 1",
        (value) => Number.isFinite(value) && (value as number) > 0 && (value as number) <= 1,
      ),
    },
    ["seed"],
  ),
  intervene: kinds.callback(),
  signal: kinds.signal(),
  onProgress: kinds.callback(),
});
