import type { CommandModule } from "yargs";
import { shipped } from "../shipped.ts";
import type { ConvertOptions } from "./run-convert.ts";

export const convertCommand: CommandModule<object, ConvertOptions> = {
  command: "convert <source> <destination>",
  describe: "Write a dictionary in the format of another library",
  builder: (yargs) =>
    yargs
      .positional("source", { type: "string", describe: "A folder or a file of weights; its format is found out" })
      .positional("destination", { type: "string", describe: "The folder to make" })
      .option("to", {
        type: "string",
        demandOption: "Say which format it is to have, with --to.",
        describe: "dictlearn, dictionary_learning, sae_lens or sparsify",
      })
      .option("dtype", {
        type: "string",
        choices: ["float32", "float64", "bfloat16"],
        describe: "Convert the weights too; without it they keep every bit",
      })
      .option("overwrite", { type: "boolean", default: false, describe: "Replace a dictionary that is there" })
      .option("json", { type: "boolean", default: false, describe: "Print the result as one JSON object" })
      .option("python", { type: "string", describe: "Use this Python instead of the managed environment" })
      .strictOptions()
      .example("$0 convert runs/quickstart out/sae --to sae_lens", "For SAELens: SAE.load_from_disk('out/sae')")
      .example(
        "$0 convert runs/quickstart out/dl --to dictionary_learning",
        "For dictionary_learning's load_dictionary",
      )
      .example("$0 convert out/sae runs/back --to dictlearn", "And back, with every bit and every key")
      .example("$0 convert runs/quickstart/checkpoints/ae_100.pt out/100 --to sparsify", "A single checkpoint")
      .epilogue(`${shipped("docs/formats.md")} says what becomes of every key, and what cannot be converted.`) as never,
  handler: async (argv) => {
    const { convert } = await import("./run-convert.ts");
    await convert(argv);
  },
};
