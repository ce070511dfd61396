import type { CommandModule } from "yargs";
import { ConfigError } from "../errors.ts";
import { configOverrides } from "./overrides.ts";

interface BenchArguments {
  readonly config?: string | undefined;
  readonly json: boolean;
  readonly python?: string | undefined;
}

/** Options of the command itself; every other one is a config key. */
const OWN_OPTIONS = new Set(["config", "json", "python"]);

export const benchCommand: CommandModule<object, BenchArguments> = {
  command: "bench [config]",
  describe: "Measure this machine, or predict how long a config takes on it",
  builder: (yargs) =>
    yargs
      .positional("config", {
        type: "string",
        describe: "A YAML or JSON config, - for standard input; without one, the machine alone",
      })
      .option("device", { type: "string", describe: "auto, cpu, cuda or cuda:N (the config's key device)" })
      .option("json", { type: "boolean", default: false, describe: "Print the result as one JSON object" })
      .option("python", { type: "string", describe: "Use this Python instead of the managed environment" })
      .example("$0 bench", "Products, a draw, a step: in less than a minute")
      .example("$0 bench quickstart", "How long will it take, and which part of it longest?")
      .example("$0 bench quickstart --dictionaries.0.dictionary_size 32768", "And with more features?")
      .epilogue("Times are medians. Nothing is written; a model that is not there yet is fetched.") as never,
  handler: async (argv) => {
    const { config, json, python } = argv;
    const overrides = configOverrides(argv, OWN_OPTIONS, "bench");
    if (config === undefined) {
      const { device, ...keys } = overrides;
      const [key] = Object.keys(keys);
      if (key !== undefined) {
        throw new ConfigError(`--${key} is a key of a config, but no config is given.`, {
          hint: "Say `dictlearn bench CONFIG.yaml` to predict the time of a run.",
        });
      }
      const { benchThisMachine } = await import("./run-bench.ts");
      process.exitCode = await benchThisMachine({ device, json, python });
      return;
    }
    const { loadRun } = await import("../config/index.ts");
    const run = loadRun(config, overrides);
    const { predict } = await import("./run-bench.ts");
    process.exitCode = await predict(config, run, { json, python });
  },
};
