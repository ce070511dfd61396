import type { Argv } from "yargs";
import { ConfigError } from "../errors.ts";
import type { EvaluationChoices } from "../evaluate/plan.ts";

/** The model, its device, and the text to read instead of the run's. */
export interface ReadingArguments {
  readonly model?: string | undefined;
  readonly revision?: string | undefined;
  readonly "model-dtype"?: "float32" | "float64" | "bfloat16" | undefined;
  readonly data?: string | undefined;
  readonly "text-field"?: string | undefined;
  readonly split?: string | undefined;
  readonly skip?: string | undefined;
  readonly "ctx-len"?: string | undefined;
  readonly "batch-size"?: string | undefined;
  readonly device: string;
  readonly python?: string | undefined;
}

/** The dictionaries, and what they were trained on, where their config.json does not say. */
export interface DictionaryArguments extends ReadingArguments {
  readonly paths: readonly string[];
  readonly submodule?: string | undefined;
  readonly io?: "out" | "in" | "in_to_out" | undefined;
  readonly transfer: boolean;
}

/** The amount of text to measure on, and the sampling. Each command has its own defaults. */
export interface MeasuringArguments {
  readonly contexts?: string | undefined;
  readonly "alive-tokens"?: string | undefined;
  readonly "buffer-contexts"?: string | undefined;
  readonly compat?: "none" | "ddac948" | undefined;
  readonly seed?: string | undefined;
}

/** The options of every command that reads text with a model. */
export const readingOptions = <T>(yargs: Argv<T>) =>
  yargs
    .option("data", { type: "string", describe: "Other text than the run's" })
    .option("text-field", { type: "string", describe: "The field of --data that holds the text" })
    .option("split", { type: "string", describe: "The split of --data, a Hugging Face dataset" })
    .option("skip", { type: "string", describe: "Documents of --data to leave out at the beginning" })
    .option("ctx-len", { type: "string", describe: "Tokens of a context (as in training)" })
    .option("batch-size", { type: "string", describe: "Contexts through the model at once (8)" })
    .option("model", { type: "string", describe: "The model, where there is no config.json" })
    .option("revision", { type: "string", describe: "The model's revision on the hub" })
    .option("model-dtype", { choices: ["float32", "float64", "bfloat16"] as const, describe: "The model's dtype" })
    .option("device", { type: "string", default: "auto", describe: "auto, cpu, cuda or cuda:N" })
    .option("python", { type: "string", describe: "Use this Python instead of the managed environment" });

/** The options of every command that runs dictionaries on text. */
export const dictionaryOptions = <T>(yargs: Argv<T>) =>
  readingOptions(yargs)
    .positional("paths", {
      type: "string",
      array: true,
      describe: "Folders with dictionaries in or below them, of any format; files of weights or checkpoints",
    })
    .option("submodule", {
      type: "string",
      describe: "The submodule, where no config names it: its path, or blocks.3.hook_resid_post",
    })
    .option("io", { choices: ["out", "in", "in_to_out"] as const, describe: "What of it is read" })
    .option("transfer", {
      type: "boolean",
      default: false,
      describe: "Also where the dictionary was not trained: at --submodule instead of its own place",
    });

/** Reads these options. Throws a `ConfigError` for invalid numbers. */
export const dictionaryChoices = (argv: DictionaryArguments): EvaluationChoices => ({
  ...readingChoices(argv),
  submodule: argv.submodule,
  io: argv.io,
  transfer: argv.transfer,
});

/** The same for `readingOptions`. */
export const readingChoices = (argv: ReadingArguments) => ({
  model: argv.model,
  revision: argv.revision,
  model_dtype: argv["model-dtype"],
  data: argv.data,
  text_field: argv["text-field"],
  split: argv.split,
  skip: wholeNumber("skip", argv.skip, 0),
  ctx_len: wholeNumber("ctx-len", argv["ctx-len"], 1),
  batch_size: wholeNumber("batch-size", argv["batch-size"], 1),
});

/** The same for `MeasuringArguments`. */
export const measuringChoices = (argv: MeasuringArguments) => ({
  contexts: wholeNumber("contexts", argv.contexts, 1),
  alive_tokens: wholeNumber("alive-tokens", argv["alive-tokens"], 1),
  compat: argv.compat,
  n_ctxs: wholeNumber("buffer-contexts", argv["buffer-contexts"], 1),
  seed: wholeNumber("seed", argv.seed, 0),
});

/** yargs silently turns invalid numbers into NaN, so numbers are parsed here. */
export const wholeNumber = (option: string, text: string | undefined, least: number): number | undefined => {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < least) {
    throw new ConfigError(`--${option} is ${text}, but must be a whole number of at least ${least}.`);
  }
  return value;
};

/** The same for several, separated by commas. */
export const wholeNumbers = (option: string, text: string | undefined, least: number): number[] | undefined =>
  text?.split(",").flatMap((each) => wholeNumber(option, each, least) ?? []);
