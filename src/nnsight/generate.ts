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

/** `T`: what `intervene` returns, which is nothing unless it saves values. */
export interface GenerateOptions<T = void> {
  /** Most tokens that are added to each prompt; 20, if not given. */
  readonly maxNewTokens?: number;
  /** Fewest tokens: the end-of-text token cannot come before. */
  readonly minNewTokens?: number;
  /** Texts that end a continuation as soon as it has one of them. */
  readonly stop?: string | readonly string[];
  /** Draws tokens instead of taking the likeliest one; the same seed draws the same ones. */
  readonly sample?: {
    readonly seed: number;
    readonly temperature?: number;
    readonly topK?: number;
    readonly topP?: number;
  };
  /**
   * What is done in every pass of the model: one over the prompts, and one for each new token after the first, which sees that
   * token alone, so `position(-1)` is the newest. Recorded once, as a trace is; it may read, write and save what a trace may.
   */
  readonly intervene?: (t: TraceInvoke) => T;
  readonly signal?: AbortSignal;
  /** Hears of each token: `done` of at most `total`. */
  readonly onProgress?: (progress: Progress) => void;
}

/** How the model continued one prompt. */
export interface Continuation {
  /** The new text, without special tokens. */
  readonly text: string;
  /** The ids of the new tokens, with the end-of-text token where it came. */
  readonly ids: readonly number[];
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** `length`: maxNewTokens was reached. `end`: the model ended the text. `text`: one of `stop` came. */
  readonly stopped: "length" | "end" | "text";
}

/** A generation in which `intervene` saved values; `await using` frees all of them at once. */
export interface Generation<T> extends AsyncDisposable {
  /** One for each prompt. */
  readonly continuations: readonly Continuation[];
  /** What was saved in each pass of the model: the first read the prompts, each later one the newest token. */
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

/** What a callback recorded for every pass of a generation. Throws a `TraceError` for what no generation can do. */
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
  // The passes are counted by what is asked of the model in them.
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

/** Throws a `ConfigError` for unknown options and those of the wrong kind. */
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
