import type { CommandModule } from "yargs";
import {
  type DictionaryArguments,
  dictionaryChoices,
  dictionaryOptions,
  wholeNumber,
  wholeNumbers,
} from "./dictionary-options.ts";

interface ReportArguments extends DictionaryArguments {
  readonly output: string;
  readonly features?: string | undefined;
  readonly "add-features"?: string | undefined;
  readonly contexts?: string | undefined;
  readonly tokens?: string | undefined;
  readonly "loss-contexts"?: string | undefined;
  readonly json: boolean;
}

export const reportCommand: CommandModule<object, ReportArguments> = {
  command: "report <paths..>",
  describe: "Make a page about dictionaries: statistics, curves, and features with the text in which they fire",
  builder: (yargs) =>
    dictionaryOptions(yargs)
      .option("output", { type: "string", default: "report.html", describe: "The page" })
      .option("features", { type: "string", describe: "Features of each dictionary (96; fewer for a set)" })
      .option("add-features", { type: "string", describe: "Numbers of features to show besides: 12,1234" })
      .option("contexts", { type: "string", describe: "Contexts of each feature (8)" })
      .option("tokens", { type: "string", describe: "Tokens that are searched for contexts (32768)" })
      .option("loss-contexts", { type: "string", describe: "Contexts from which loss effects are estimated (32)" })
      .option("json", { type: "boolean", default: false, describe: "Print what the page says as one JSON object, too" })
      .strictOptions()
      .example("$0 report runs/quickstart", "Writes report.html: one file that needs no network")
      .example(
        "$0 report runs/quickstart --add-features 12,1234",
        "With two features that it would not choose by itself",
      )
      .example("$0 report runs/a runs/b --output both.html", "Dictionaries side by side")
      .epilogue("Statistics come from evaluation.json; a dictionary without one is evaluated.") as never,
  handler: async (argv) => {
    const { runReport } = await import("./run-report.ts");
    process.exitCode = await runReport({
      ...argv,
      choices: dictionaryChoices(argv),
      amounts: {
        features: wholeNumber("features", argv.features, 1),
        addFeatures: wholeNumbers("add-features", argv["add-features"], 0),
        contexts: wholeNumber("contexts", argv.contexts, 1),
        tokens: wholeNumber("tokens", argv.tokens, 1),
        lossContexts: wholeNumber("loss-contexts", argv["loss-contexts"], 1),
      },
    });
  },
};
