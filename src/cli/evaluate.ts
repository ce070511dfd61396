import type { CommandModule } from "yargs";
import { shipped } from "../shipped.ts";
import {
  type DictionaryArguments,
  dictionaryChoices,
  dictionaryOptions,
  type MeasuringArguments,
  measuringChoices,
  wholeNumber,
} from "./dictionary-options.ts";

interface EvaluateArguments extends DictionaryArguments, MeasuringArguments {
  readonly activations?: string | undefined;
  readonly "frequency-tokens"?: string | undefined;
  readonly plot?: readonly string[] | undefined;
  readonly output?: string | undefined;
  readonly json: boolean;
}

export const evaluateCommand: CommandModule<object, EvaluateArguments> = {
  command: "evaluate <paths..>",
  describe: "Say how good dictionaries are, on text they were not trained on",
  builder: (yargs) =>
    dictionaryOptions(yargs)
      .option("contexts", { type: "string", describe: "Contexts to measure on (the run's, or 128)" })
      .option("alive-tokens", {
        type: "string",
        describe: "Tokens on which a feature must fire to be alive (the run's, or 8192)",
      })
      .option("frequency-tokens", {
        type: "string",
        describe: "Tokens on which frequencies are counted (the run's, or 16384)",
      })
      .option("activations", { type: "string", describe: "Cached rows to evaluate on; without a model, no losses" })
      .option("compat", {
        choices: ["none", "ddac948"] as const,
        describe: "ddac948: dictionary_learning's own numbers, on its own sampling",
      })
      .option("buffer-contexts", { type: "string", describe: "Contexts that ddac948 draws its rows from (the run's)" })
      .option("seed", { type: "string", describe: "Of the confidence intervals (the run's)" })
      .option("plot", {
        type: "string",
        array: true,
        nargs: 1,
        describe: "Write the frequency histograms to this .svg or .png; may be given twice",
      })
      .option("output", {
        type: "string",
        describe: "Write all evaluations to this JSON file, and none beside the dictionaries",
      })
      .option("json", { type: "boolean", default: false, describe: "Print the evaluations as one JSON object" })
      .strictOptions()
      .example("$0 evaluate runs/quickstart", "On the documents that its training left out")
      .example("$0 evaluate runs/pythia --plot pythia.svg", "Every dictionary of a run, in one figure")
      .example("$0 evaluate runs/pythia --contexts 512 --output more.json", "With other settings than the run's own")
      .example("$0 evaluate ae.pt --model M --submodule S --data text.jsonl", "A dictionary from elsewhere")
      .epilogue(
        `${shipped("docs/statistics.md")} defines every number. Each evaluation is written beside its dictionary; one with other settings is not replaced.`,
      ) as never,
  handler: async (argv) => {
    const { runEvaluate } = await import("./run-evaluate.ts");
    process.exitCode = await runEvaluate({
      ...argv,
      choices: {
        ...dictionaryChoices(argv),
        ...measuringChoices(argv),
        activations: argv.activations,
        frequency_tokens: wholeNumber("frequency-tokens", argv["frequency-tokens"], 1),
      },
    });
  },
};
