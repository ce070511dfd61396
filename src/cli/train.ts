import type { ArgumentsCamelCase, CommandModule } from "yargs";
import { ConfigError } from "../errors.ts";
import { recipes, shipped } from "../shipped.ts";
import { configOverrides } from "./overrides.ts";

interface TrainArguments {
  readonly config?: string | undefined;
  readonly "dry-run": boolean;
  readonly overwrite: boolean;
  readonly resume?: string | undefined;
  readonly json: boolean;
  readonly python?: string | undefined;
  readonly verbose: boolean;
}

/** Options of the command itself; every other one is a config key. */
const OWN_OPTIONS = new Set(["config", "dry-run", "overwrite", "json", "python"]);

/**
 * `--resume exact` sets the config's key `resume`; `--resume FOLDER` resumes a run. A folder of such a name is ./exact.
 */
const RESUME_KINDS = new Set(["exact", "light", "off"]);

export const trainCommand: CommandModule<object, TrainArguments> = {
  command: "train [config]",
  describe: "Train dictionaries as a config says",
  builder: (yargs) =>
    yargs
      .positional("config", {
        type: "string",
        describe: "A YAML or JSON config, - for standard input; without one, quickstart",
      })
      .option("dry-run", {
        type: "boolean",
        default: false,
        describe: "Print the resolved run and what it needs, and stop",
      })
      .option("overwrite", { type: "boolean", default: false, describe: "Replace the run in the output folder" })
      .option("resume", {
        type: "string",
        describe: "Continue the run in this output folder; no config is needed",
      })
      .option("json", {
        type: "boolean",
        default: false,
        describe: "Print one JSON object per event on standard output",
      })
      .option("deterministic", {
        type: "boolean",
        describe: "On CUDA only deterministic kernels: two runs give the same bytes (the config's key deterministic)",
      })
      .option("python", { type: "string", describe: "Use this Python instead of the managed environment" })
      .example("$0 train", "The quickstart: SmolLM2, Python's documentation, a few minutes")
      .example("$0 init my.yaml", "A config of your own to begin with, for the next three")
      .example("$0 train my.yaml --dry-run", "What would it cost?")
      .example("$0 train my.yaml --train.lr 2e-3 --output runs/lr-2e-3", "Any key of the config, by its path")
      .example("$0 train my.yaml --dictionaries.0.dictionary_size 2048 --output runs/2048", "Also inside lists")
      .example("$0 train --resume runs/quickstart", "Continue an interrupted run")
      .epilogue(
        `${shipped("configs/schema.json")} describes every key. Configs that come with dictlearn: ${recipes().join(", ")}.`,
      ) as never,
  handler: async (argv) => {
    const folder = resumeFolder(argv);
    const { resume: _, ...options } = argv;
    if (folder !== undefined) {
      const { resume } = await import("./resume-run.ts");
      process.exitCode = await resume(folder, overrides(argv), options);
      return;
    }
    const path = argv.config ?? "quickstart";
    const { loadRun } = await import("../config/index.ts");
    const run = loadRun(path, overrides(argv));
    if (argv["dry-run"]) {
      const { dryRun } = await import("./dry-run.ts");
      await dryRun(run, options);
      return;
    }
    const { train } = await import("./run-train.ts");
    process.exitCode = await train(run, options);
  },
};

/** The run folder that `--resume` names, if it names one. */
const resumeFolder = (argv: ArgumentsCamelCase<TrainArguments>): string | undefined => {
  const { resume, config, overwrite } = argv;
  if (Array.isArray(resume)) throw new ConfigError(`--resume is given ${resume.length} times; give it once.`);
  if (resume === undefined || RESUME_KINDS.has(resume)) return undefined;
  const hint = "Say `dictlearn train --resume FOLDER`.";
  if (resume === "") throw new ConfigError("--resume names no folder.", { hint });
  if (config !== undefined) {
    throw new ConfigError(`--resume ${resume} continues the run with its own config, so ${config} has no place.`, {
      hint,
    });
  }
  if (overwrite || argv["dry-run"]) {
    throw new ConfigError(`--resume cannot be combined with --${overwrite ? "overwrite" : "dry-run"}.`, { hint });
  }
  return resume;
};

/** The options that are config keys; `--resume` is one unless it names a folder. */
const overrides = (argv: ArgumentsCamelCase<TrainArguments>): Record<string, string> => {
  const { resume, ...found } = configOverrides(argv, OWN_OPTIONS, "train");
  return resume === undefined || resumeFolder(argv) !== undefined ? found : { ...found, resume };
};

export type { TrainArguments };
