import type { CommandModule } from "yargs";
import { shipped } from "../shipped.ts";
import type { InspectOptions } from "./run-inspect.ts";

export const inspectCommand: CommandModule<object, InspectOptions> = {
  command: "inspect <path>",
  describe: "Say what a dictionary's files hold: shapes, norms, dead features, where it comes from",
  builder: (yargs) =>
    yargs
      .positional("path", { type: "string", describe: "A folder or a file of weights, of any format" })
      .option("rows", {
        type: "string",
        describe: "Activations (safetensors with inputs, and targets): which loss probably trained it?",
      })
      .option("penalty", { type: "string", describe: "The sparsity penalty, where the config does not state it" })
      .option("device", { type: "string", default: "auto", describe: "Where to compute" })
      .option("json", { type: "boolean", default: false, describe: "Print the findings as one JSON object" })
      .option("python", { type: "string", describe: "Use this Python instead of the managed environment" })
      .strictOptions()
      .example("$0 inspect runs/quickstart", "A run of dictlearn")
      .example("$0 inspect sae/sae_weights.safetensors --json", "A file of SAELens, for a program")
      .example("$0 inspect mlp_out_layer1/0_8192 --rows rows.safetensors", "Trained with the mse, or with its root?")
      .epilogue(`Formats: see ${shipped("docs/formats.md")}. Nothing is written.`) as never,
  handler: async (argv) => {
    const { inspect } = await import("./run-inspect.ts");
    await inspect(argv);
  },
};
