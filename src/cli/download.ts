import type { CommandModule } from "yargs";
import type { DownloadArguments } from "./run-download.ts";

export const downloadCommand: CommandModule<object, DownloadArguments> = {
  command: "download [sets..]",
  describe: "Fetch the released dictionaries of pythia-70m-deduped",
  builder: (yargs) =>
    yargs
      .positional("sets", {
        type: "string",
        array: true,
        describe: "0_8192, 1_32768 (MLP outputs; both, if none is named), or 10_32768 (every site, a zip of 2.4 GB)",
      })
      .option("layers", {
        type: "string",
        array: true,
        requiresArg: true,
        describe: "Only these layers or sites: 0 1 5, attn_out_layer3, embed",
      })
      .option("checkpoints", { type: "boolean", default: false, describe: "The training's checkpoints too" })
      .option("to", { type: "string", default: "dictionaries", describe: "The folder to put them into" })
      .option("mirror", { type: "string", describe: "Take them from this URL or local folder (or zip) instead" })
      .option("json", { type: "boolean", default: false, describe: "Print the files as one JSON object" })
      .option("python", { type: "string", describe: "Use this Python instead of the managed environment" })
      .strictOptions()
      .example("$0 download", "Both sets of December 2023, into dictionaries/pythia-70m-deduped")
      .example("$0 download 0_8192 --layers 1 2", "Two dictionaries of 34 MB")
      .example("$0 download 10_32768 --layers embed 3", "The embedding and all sites of layer 3")
      .epilogue("What was cut off goes on; every file is looked at before it gets its name.") as never,
  handler: async (argv) => {
    const { download } = await import("./run-download.ts");
    await download(argv);
  },
};
