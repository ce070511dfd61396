import { ConfigError } from "../errors.ts";
import { checkArguments, kinds } from "../options/index.ts";
import { checkCapacity, checkPrecision, checkSchedules, inConfig, type Naming } from "./cross-checks.ts";
import { given } from "./defaults.ts";
import type { RunConfig } from "./schema.ts";
import type { Train } from "./train-schema.ts";
import { valueOnly, type Whence } from "./whence.ts";

/** One dictionary of a run with all its settings. */
export interface ResolvedDictionary {
  readonly name: string;
  readonly submodule: string | undefined;
  readonly io: "out" | "in" | "in_to_out";
  readonly dictionary_size: number;
  readonly seed: number;
  readonly train: Train;
}

export interface ResolvedRun {
  readonly config: RunConfig;
  readonly dictionaries: readonly ResolvedDictionary[];
}

/** The schema of `resolveRun`'s result, to check a value that a script passes for it. */
export const runKind = kinds.having<ResolvedRun>("a run, as resolveRun gives", "config", "dictionaries");

/**
 * Gives every dictionary its own settings and runs the checks across keys. `whence` names the source of a value in
 * messages. Throws `ConfigError`.
 */
export const resolveRun = (config: RunConfig, whence?: Whence): ResolvedRun => {
  checkArguments("resolveRun", {
    config: [config, kinds.having<RunConfig>("a config, as loadConfig and parseConfig give", ...KEYS)],
  });
  checkSource(config, whence);
  checkPrecision(
    config,
    inConfig((key) => key, whence),
  );
  const dictionaries = config.dictionaries.map((each) => {
    const { submodule, io, dictionary_size, name, seed, ...own } = each;
    const train = { ...config.train, ...given(own) };
    return { name, submodule, io, dictionary_size, seed: seed ?? config.seed, train };
  });
  checkDictionaries(config, dictionaries, whence);
  checkNormLimit(config, dictionaries, whence);
  return { config, dictionaries };
};

/** Where a key of a dictionary's training is set: in its own entry, or in `train`. */
export const trainKey = ({ dictionaries }: RunConfig, index: number, whence?: Whence): Naming =>
  inConfig(
    (key) => (Object.hasOwn(dictionaries[index] ?? {}, key) ? `dictionaries.${index}.${key}` : `train.${key}`),
    whence,
  );

/** Keys that every config has once defaults are filled in. */
const KEYS = ["model", "data", "activations", "buffer", "train", "dictionaries"] as const;

const checkSource = ({ model, data, activations, buffer }: RunConfig, whence?: Whence): void => {
  if (activations !== null) {
    if (model !== null || data !== null) {
      const say = whence ?? valueOnly;
      const other = model !== null ? say("model", model) : say("data.path", data?.path);
      throw new ConfigError(`${say("activations", activations)} and ${other}; it is one or the other.`, {
        hint: "Set model and data to null to train on cached rows, or activations to null to train on text.",
      });
    }
    return;
  }
  if (model === null || data === null) {
    throw new ConfigError(`The config lacks the key ${model === null ? "model" : "data"}, which must be given.`, {
      hint: "A run needs model and data, or activations.",
    });
  }
  checkCapacity(
    buffer,
    inConfig((key) => `buffer.${key}`, whence),
  );
};

/** Rows that are dropped at one site would be missing at the others, and cached rows are already selected. */
const checkNormLimit = (
  { activations, buffer }: RunConfig,
  dictionaries: readonly ResolvedDictionary[],
  whence: Whence = valueOnly,
): void => {
  const limit = buffer.max_activation_norm_multiple;
  if (limit === null) return;
  const sites = new Set(dictionaries.map(({ submodule, io }) => `${io} ${submodule}`));
  if (activations === null && sites.size === 1) return;
  const instead = activations === null ? `the dictionaries read ${sites.size}` : whence("activations", activations);
  const key = "buffer.max_activation_norm_multiple";
  throw new ConfigError(`${whence(key, limit)}, which needs a run that reads one site of a model, but ${instead}.`, {
    hint: `Set ${key} to null${activations === null ? ", or train each site in a run of its own" : ""}.`,
  });
};

const checkDictionaries = (config: RunConfig, dictionaries: readonly ResolvedDictionary[], whence?: Whence): void => {
  const { activations, random_streams } = config;
  const say = whence ?? valueOnly;
  const names = new Map<string, number>();
  for (const [index, { name, submodule, seed, train }] of dictionaries.entries()) {
    const same = names.get(name);
    if (same !== undefined) {
      throw new ConfigError(
        `Two dictionaries are called ${name}: dictionaries.${same}.name and dictionaries.${index}.name are the same.`,
        { hint: `Give each one a name of its own, as with dictionaries.${index}.name: ${name}-${index}.` },
      );
    }
    names.set(name, index);
    if (submodule === undefined && activations === null) {
      throw new ConfigError(
        `The config lacks the key dictionaries.${index}.submodule, which must be given: a module's path.`,
        { hint: "Name a module of the model, such as model.layers.1.mlp." },
      );
    }
    checkSchedules(train, trainKey(config, index, whence));
    if (random_streams === "one" && seed !== dictionaries[0]?.seed) {
      const own = config.dictionaries.findIndex((each) => each.seed !== undefined);
      const key = `dictionaries.${own}.seed`;
      throw new ConfigError(
        `${say("random_streams", random_streams)}, so all dictionaries have one seed, but ${say(key, dictionaries[own]?.seed)}.`,
        { hint: `Leave ${key} out, or set random_streams to separate.` },
      );
    }
  }
};
