import type { CommandModule } from "yargs";
import { shipped } from "../shipped.ts";
import {
  type MeasuringArguments,
  measuringChoices,
  type ReadingArguments,
  readingChoices,
  readingOptions,
} from "./dictionary-options.ts";

interface VerifyArguments extends ReadingArguments, MeasuringArguments {
  readonly set?: string | undefined;
  readonly dir?: string | undefined;
  readonly layers?: readonly string[] | undefined;
  readonly registry?: string | undefined;
  readonly json: boolean;
}

export const verifyCommand: CommandModule<object, VerifyArguments> = {
  command: "verify [set] [dir]",
  describe: "Compare released dictionaries, or the same trained anew, with their published statistics",
  builder: (yargs) =>
    readingOptions(yargs)
      .positional("set", { type: "string", describe: "0_8192 or 1_32768 (every set that is there)" })
      .positional("dir", { type: "string", describe: "Folder of a download or of a run (dictionaries)" })
      .option("layers", {
        type: "string",
        array: true,
        requiresArg: true,
        describe: "Only these layers or sites (all of the set)",
      })
      .option("contexts", { type: "string", describe: "Contexts to measure on (128)" })
      .option("alive-tokens", { type: "string", describe: "Tokens on which a feature must fire to be alive (8192)" })
      .option("compat", {
        choices: ["none", "ddac948"] as const,
        describe: "ddac948: the authors' sampling (of released files); none: that of evaluate (of runs)",
      })
      .option("buffer-contexts", { type: "string", describe: "Contexts that ddac948 draws its rows from (3072)" })
      .option("seed", { type: "string", describe: "Of the confidence intervals (0)" })
      .option("registry", { type: "string", describe: "A JSON file of other sets than the released ones" })
      .option("json", { type: "boolean", default: false, describe: "Print the comparison as one JSON object" })
      .strictOptions()
      .example("$0 verify 0_8192 dictionaries", "A download, on the Pile from the hub")
      .example("$0 verify 0_8192 dictionaries --layers 0 1 --data pile.jsonl", "Two layers, on text of your own")
      .example("$0 verify 0_8192 runs/pythia-70m-deduped/0_8192", "The set trained anew, on text that its run reserved")
      .epilogue(
        `Exit code 0: every dictionary is there, and every number agrees. ${shipped("docs/statistics.md")} says when numbers do.`,
      ) as never,
  handler: async (argv) => {
    const { runVerify } = await import("./run-verify.ts");
    process.exitCode = await runVerify({
      ...argv,
      choices: { ...readingChoices(argv), ...measuringChoices(argv) },
    });
  },
};
