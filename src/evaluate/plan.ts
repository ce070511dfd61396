import { basename } from "node:path";
import { evaluationDefaults } from "../config/index.ts";
import type { BufferSettings } from "../config/parts.ts";
import { ConfigError } from "../errors.ts";
import type { SiteSpec } from "../nnsight/index.ts";
import { kinds, optionsOf } from "../options/index.ts";
import type { DictionaryOrigin } from "../places/index.ts";
import { type TextSource, textSource } from "../text/index.ts";
import { DEFAULT_CONTEXTS, type EvaluateOptions } from "./options.ts";
import type { DictionaryOnDisk } from "./targets.ts";

/** The user's choices on the command line; they override the dictionary's config. */
export interface EvaluationChoices {
  readonly model?: string | undefined;
  readonly revision?: string | undefined;
  readonly model_dtype?: "float32" | "float64" | "bfloat16" | undefined;
  /** A module's path, or another library's name of a place: `blocks.3.hook_resid_post`. */
  readonly submodule?: string | undefined;
  readonly io?: SiteSpec["io"] | undefined;
  /** Allow a site where the dictionary was not trained. */
  readonly transfer?: boolean | undefined;
  /** Other text than the run's. */
  readonly data?: string | undefined;
  readonly text_field?: string | undefined;
  readonly split?: string | undefined;
  readonly skip?: number | undefined;
  readonly activations?: string | undefined;
  readonly ctx_len?: number | undefined;
  /** Settings of the buffer that the reference draws its rows from; used only with `compat: ddac948`. */
  readonly n_ctxs?: number | undefined;
  readonly in_batch_size?: number | undefined;
  readonly out_batch_size?: number | undefined;
  readonly contexts?: number | undefined;
  readonly batch_size?: number | undefined;
  readonly alive_tokens?: number | undefined;
  readonly frequency_tokens?: number | undefined;
  readonly compat?: "none" | "ddac948" | undefined;
  readonly seed?: number | undefined;
}

/** The same, to check a script's values. */
export const choicesKind = optionsOf<EvaluationChoices>({
  model: kinds.name(),
  revision: kinds.name(),
  model_dtype: kinds.dtype(),
  submodule: kinds.name(),
  io: kinds.oneOf("out", "in", "in_to_out"),
  transfer: kinds.flag(),
  data: kinds.name(),
  text_field: kinds.name(),
  split: kinds.name(),
  skip: kinds.whole(0),
  activations: kinds.name(),
  ctx_len: kinds.whole(1),
  n_ctxs: kinds.whole(1),
  in_batch_size: kinds.whole(1),
  out_batch_size: kinds.whole(1),
  contexts: kinds.whole(1),
  batch_size: kinds.whole(1),
  alive_tokens: kinds.whole(1),
  frequency_tokens: kinds.whole(1),
  compat: kinds.oneOf("none", "ddac948"),
  seed: kinds.seed(),
});

/** Everything that decides a dictionary's evaluation, except the objects in the worker. */
export interface EvaluationPlan {
  /** null where there are only cached rows. */
  readonly model: { readonly path: string; readonly revision: string | null; readonly dtype: ModelDtype | null } | null;
  /** As stated; the model resolves it to a module. */
  readonly place: DictionaryOrigin | null;
  readonly data: TextSource | null;
  readonly options: Pick<
    EvaluateOptions,
    | "activations"
    | "transfer"
    | "contexts"
    | "batchSize"
    | "aliveTokens"
    | "frequencyTokens"
    | "compat"
    | "seed"
    | "buffer"
  >;
}
type ModelDtype = "float32" | "float64" | "bfloat16";

/**
 * Merges the choices with a dictionary's config. Throws `ConfigError` for anything that neither of them states. `text`:
 * the reserved part, to measure quality, or all of it, to find the contexts that features respond to.
 */
export const planEvaluation = (
  { name, config, configPath }: Pick<DictionaryOnDisk, "name" | "config" | "configPath">,
  choices: EvaluationChoices,
  text: "reserved" | "all" = "reserved",
): EvaluationPlan => {
  const { run } = config;
  const compat = choices.compat ?? ownCompat(run);
  requireEffect(choices, compat);
  const seed = choices.seed ?? run?.seed ?? 0;
  const options = {
    contexts: choices.contexts ?? run?.evaluation?.contexts ?? DEFAULT_CONTEXTS,
    compat,
    seed,
    buffer: bufferSettings(config, choices, compat),
    aliveTokens: choices.alive_tokens ?? run?.evaluation?.alive_tokens ?? evaluationDefaults.alive_tokens,
    frequencyTokens:
      choices.frequency_tokens ?? run?.evaluation?.frequency_tokens ?? evaluationDefaults.frequency_tokens,
    ...defined({ activations: choices.activations, batchSize: choices.batch_size, transfer: choices.transfer }),
  };
  if (choices.activations !== undefined && choices.model === undefined) {
    return { model: null, place: null, data: null, options };
  }
  const model = choices.model ?? run?.model ?? config.origin?.model;
  const place = placeOf(config.origin, choices);
  const facts = { name, file: basename(configPath), rows: run?.activations };
  if (model === undefined || model === null) throw missing("model", facts);
  if (place === undefined) throw missing("submodule", facts);
  return {
    model: {
      path: model,
      // The revision belongs to the run's model, not to another.
      revision: choices.revision ?? (choices.model === undefined ? run?.revision : undefined) ?? null,
      dtype: choices.model_dtype ?? run?.model_dtype ?? null,
    },
    place,
    data: evaluationData(name, { run, choices, compat, seed, text }),
    options,
  };
};

/** The sampling of the evaluation at the end of the run, or else the one that matches its training. */
const ownCompat = (run: DictionaryOnDisk["config"]["run"]): "none" | "ddac948" => {
  const reserves = typeof run?.data?.evaluation_every === "number";
  return run === undefined || (run.evaluation !== null && reserves) ? "none" : run.compat;
};

/** Choices without effect are mistakes. */
const requireEffect = (choices: EvaluationChoices, compat: "none" | "ddac948"): void => {
  const idle = (["text_field", "split", "skip"] as const).find((key) => choices[key] !== undefined);
  if (idle !== undefined && choices.data === undefined) {
    throw new ConfigError(`--${idle.replace("_", "-")} says how other text is read, but none is named.`, {
      hint: "Name it with --data PATH.",
    });
  }
  if (choices.n_ctxs !== undefined && compat === "none") {
    throw new ConfigError("--buffer-contexts is for the reference's sampling, which this is not.", {
      hint: "Add --compat ddac948, or leave it out.",
    });
  }
};

/** How the run cut its text into contexts; how it filled a buffer matters only to the reference's sampling. */
const bufferSettings = (
  { run, ctxLen }: DictionaryOnDisk["config"],
  choices: EvaluationChoices,
  compat: "none" | "ddac948",
): Partial<BufferSettings> => {
  const own = defined({
    ctx_len: choices.ctx_len ?? ctxLen,
    n_ctxs: choices.n_ctxs,
    in_batch_size: choices.in_batch_size,
    out_batch_size: choices.out_batch_size,
  });
  if (run === undefined) return own;
  const { n_ctxs, ctx_len, in_batch_size, out_batch_size } = run.buffer;
  if (compat !== run.compat) {
    return { n_ctxs, ctx_len, in_batch_size, out_batch_size, ...own };
  }
  return { ...run.buffer, ...own };
};

/** The chosen place, or else the config's; undefined where there is neither. */
const placeOf = (
  origin: DictionaryOrigin | undefined,
  { submodule, io }: EvaluationChoices,
): DictionaryOrigin | undefined => {
  if (submodule !== undefined) {
    // A hook's name says whether it is an input or an output.
    return { submodule, io: io ?? (submodule.includes("hook_") ? undefined : origin?.io), stated_in: "--submodule" };
  }
  return origin?.submodule === undefined ? undefined : { ...origin, ...defined({ io }) };
};

const missing = (
  key: "model" | "submodule",
  { name, file, rows }: { readonly name: string; readonly file: string; readonly rows: string | null | undefined },
): ConfigError =>
  rows
    ? new ConfigError(`${name} was trained on the rows in ${rows}, and no text goes with them.`, {
        hint: "Name other rows with --activations FILE, or --model, --submodule and --data.",
      })
    : new ConfigError(`${name} has no ${file} that names its ${key}.`, {
        hint: "Name --model, --submodule and --data PATH.",
      });

interface DataFacts {
  readonly run: DictionaryOnDisk["config"]["run"];
  readonly choices: EvaluationChoices;
  readonly compat: "none" | "ddac948";
  readonly seed: number;
  readonly text: "reserved" | "all";
}

/** All of another text, or the reserved part of the run's text; the reference reads the text that it trained on. */
const evaluationData = (name: string, { run, choices, compat, seed, text }: DataFacts): TextSource => {
  if (choices.data !== undefined) {
    const { data: path, split, skip, text_field: textField } = choices;
    return { path, ...defined({ split, skip, textField }), seed };
  }
  const data = run?.data;
  if (data === undefined || data === null) {
    throw new ConfigError(`${name} has no config.json that says which text it was trained on.`, {
      hint: "Name text that it was not trained on with --data PATH.",
    });
  }
  if (text === "all") {
    return textSource({ ...data, evaluation_every: null }, "training", run?.seed ?? seed);
  }
  if (data.evaluation_every === null && compat === "none") {
    throw new ConfigError(`${name} was trained on all of its text: data.evaluation_every is null.`, {
      hint: "Name text that it was not trained on with --data PATH.",
    });
  }
  const part = compat === "none" ? "evaluation" : "training";
  return textSource(data, part, run?.seed ?? seed);
};

/** Without the keys that are undefined. */
const defined = <T extends object>(keys: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined)) as never;
