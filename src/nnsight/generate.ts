import { ConfigError } from "../errors.ts";
import type { HandleRef, Params, Progress } from "../protocol/index.ts";
import type { Worker } from "../worker/index.ts";
import { type Prompts, toPrompts } from "./prompts.ts";
import { type CallSite, located, type Recorded, type TraceInvoke } from "./trace/index.ts";

export interface GenerateOptions {
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
   * token alone, so `position(-1)` is the newest. Recorded once, as a trace is; it may read and write what a trace may, but
   * saves and returns nothing.
   */
  readonly intervene?: (t: TraceInvoke) => void;
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

/** What `intervene` recorded, with the tensors that it brings, and the line that asked for the generation. */
export interface GenerationSteps {
  readonly program: readonly Recorded[];
  readonly frames: readonly Uint8Array[];
  readonly site: CallSite;
}

/** Continues each prompt. See `LanguageModel.generate`. */
export const generate = async (
  { worker, ref }: { readonly worker: Worker; readonly ref: HandleRef },
  prompts: Prompts,
  { steps, ...options }: GenerateOptions & { readonly steps?: GenerationSteps },
): Promise<Continuation[]> => {
  const program = steps?.program ?? [];
  const operations = program.map(({ operation }) => operation);
  const params = { model: ref, prompts: toPrompts(prompts), ...toNumbers(options), program: operations };
  const { signal, onProgress } = options;
  const call = { signal, onProgress, ...(steps === undefined ? {} : { frames: steps.frames }) };
  const { ids, texts, prompt_tokens, stopped } = await worker
    .call("model.generate", params, call)
    .catch((error: unknown) => {
      throw steps === undefined ? error : located(error, program, steps.site);
    });
  return texts.map((text, index) => ({
    text,
    ids: ids[index] ?? [],
    promptTokens: prompt_tokens[index] ?? 0,
    stopped: stopped[index] ?? "length",
  }));
};

const toNumbers = (options: GenerateOptions): Omit<Params<"model.generate">, "model" | "prompts" | "program"> => {
  const { maxNewTokens = 20, minNewTokens = 0, stop = [], sample } = options;
  requireNumber("maxNewTokens", maxNewTokens, Number.isSafeInteger(maxNewTokens) && maxNewTokens > 0);
  requireNumber("minNewTokens", minNewTokens, minNewTokens >= 0 && minNewTokens <= maxNewTokens);
  if (sample !== undefined) {
    requireNumber("sample.seed", sample.seed, Number.isSafeInteger(sample.seed) && sample.seed >= 0);
    requireNumber("sample.temperature", sample.temperature ?? 1, (sample.temperature ?? 1) > 0);
    requireNumber("sample.topK", sample.topK ?? 1, Number.isSafeInteger(sample.topK ?? 1) && (sample.topK ?? 1) > 0);
    requireNumber("sample.topP", sample.topP ?? 1, (sample.topP ?? 1) > 0 && (sample.topP ?? 1) <= 1);
  }
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

const RANGES: Readonly<Record<string, string>> = {
  maxNewTokens: "a whole number above 0",
  minNewTokens: "between 0 and maxNewTokens",
  "sample.seed": "a whole number of at least 0",
  "sample.temperature": "above 0",
  "sample.topK": "a whole number above 0",
  "sample.topP": "above 0 and at most 1",
};

const requireNumber = (name: string, value: number, allowed: boolean): void => {
  if (!allowed) throw new ConfigError(`generate: ${name} is ${value}, but must be ${RANGES[name]}.`);
};
