import type { CommandModule } from "yargs";
import { ConfigError } from "../errors.ts";

export interface EvaluateArguments {
  readonly paths: readonly string[];
  readonly model?: string | undefined;
  readonly revision?: string | undefined;
  readonly "model-dtype"?: "float32" | "float64" | "bfloat16" | undefined;
  readonly submodule?: string | undefined;
  readonly io?: "out" | "in" | "in_to_out" | undefined;
  readonly data?: string | undefined;
  readonly "text-field"?: string | undefined;
  readonly split?: string | undefined;
  readonly skip?: string | undefined;
  readonly activations?: string | undefined;
  readonly "ctx-len"?: string | undefined;
  readonly contexts?: string | undefined;
  readonly "batch-size"?: string | undefined;
  readonly "alive-tokens"?: string | undefined;
  readonly "frequency-tokens"?: string | undefined;
  readonly compat?: "none" | "ddac948" | undefined;
  readonly seed?: string | undefined;
  readonly device: string;
  readonly plot?: readonly string[] | undefined;
  readonly json: boolean;
  readonly python?: string | undefined;
}

export const evaluateCommand: CommandModule<object, EvaluateArguments> = {
  command: "evaluate <paths..>",
  describe: "Say how good dictionaries are, on text they were not trained on",
  builder: (yargs) =>
    yargs
      .positional("paths", {
        type: "string",
        array: true,
        describe: "Folders of dictionaries, ae.pt files or checkpoints",
      })
      .option("data", { type: "string", describe: "Other text than what the run reserved" })
      .option("text-field", { type: "string", describe: "The field of --data that holds the text" })
      .option("split", { type: "string", describe: "The split of --data, a Hugging Face dataset" })
      .option("skip", { type: "string", describe: "Documents of --data to leave out at the beginning" })
      .option("contexts", { type: "string", describe: "Contexts to measure on (128)" })
      .option("ctx-len", { type: "string", describe: "Tokens of a context (as in training)" })
      .option("batch-size", { type: "string", describe: "Contexts through the model at once (8)" })
      .option("alive-tokens", { type: "string", describe: "Tokens on which a feature must fire to be alive (8192)" })
      .option("frequency-tokens", { type: "string", describe: "Tokens on which frequencies are counted (16384)" })
      .option("model", { type: "string", describe: "The model, where there is no config.json" })
      .option("revision", { type: "string", describe: "The model's revision on the hub" })
      .option("model-dtype", { choices: ["float32", "float64", "bfloat16"] as const, describe: "The model's dtype" })
      .option("submodule", { type: "string", describe: "The submodule, where there is no config.json" })
      .option("io", { choices: ["out", "in", "in_to_out"] as const, describe: "What of it is read" })
      .option("activations", { type: "string", describe: "Cached rows to evaluate on; without a model, no losses" })
      .option("compat", {
        choices: ["none", "ddac948"] as const,
        describe: "ddac948: dictionary_learning's own numbers, on its own sampling",
      })
      .option("seed", { type: "string", describe: "Of the confidence intervals (the run's)" })
      .option("device", { type: "string", default: "auto", describe: "auto, cpu, cuda or cuda:N" })
      .option("plot", {
        type: "string",
        array: true,
        describe: "Write the frequency histograms to this .svg or .png; may be given twice",
      })
      .option("json", { type: "boolean", default: false, describe: "Print the evaluations as one JSON object" })
      .option("python", { type: "string", describe: "Use this Python instead of the managed environment" })
      .strictOptions()
      .example("$0 evaluate runs/quickstart", "On the documents that its training left out")
      .example("$0 evaluate runs/pythia --contexts 512 --plot pythia.svg", "Every dictionary of a run, in one figure")
      .example("$0 evaluate ae.pt --model M --submodule S --data text.jsonl", "A dictionary from elsewhere")
      .epilogue("docs/statistics.md defines every number. Each evaluation is written beside its dictionary.") as never,
  handler: async (argv) => {
    const { runEvaluate } = await import("./run-evaluate.ts");
    process.exitCode = await runEvaluate({
      ...argv,
      choices: {
        model: argv.model,
        revision: argv.revision,
        model_dtype: argv["model-dtype"],
        submodule: argv.submodule,
        io: argv.io,
        data: argv.data,
        text_field: argv["text-field"],
        split: argv.split,
        skip: whole("skip", argv.skip, 0),
        activations: argv.activations,
        ctx_len: whole("ctx-len", argv["ctx-len"], 1),
        contexts: whole("contexts", argv.contexts, 1),
        batch_size: whole("batch-size", argv["batch-size"], 1),
        alive_tokens: whole("alive-tokens", argv["alive-tokens"], 1),
        frequency_tokens: whole("frequency-tokens", argv["frequency-tokens"], 1),
        compat: argv.compat,
        seed: whole("seed", argv.seed, 0),
      },
    });
  },
};

/** yargs turns what is no number into NaN without a word, so numbers are read here. */
const whole = (option: string, text: string | undefined, least: number): number | undefined => {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < least) {
    throw new ConfigError(`--${option} is ${text}, but must be a whole number of at least ${least}.`);
  }
  return value;
};
