import { ConfigError } from "../errors.ts";
import { checkArguments, kinds } from "../options/index.ts";
import { checkCapacity, checkPrecision, checkSchedules, inConfig, type Naming } from "./cross-checks.ts";
import { given } from "./defaults.ts";
import type { RunConfig } from "./schema.ts";
import type { Train } from "./train-schema.ts";

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

/** What `resolveRun` gives, to check what a script gives for it. */
export const runKind = kinds.having<ResolvedRun>("a run, as resolveRun gives", "config", "dictionaries");

/** Gives every dictionary its own settings and checks what no single key can say. Throws `ConfigError`. */
export const resolveRun = (config: RunConfig): ResolvedRun => {
  checkArguments("resolveRun", {
    config: [config, kinds.having<RunConfig>("a config, as loadConfig and parseConfig give", ...KEYS)],
  });
  checkSource(config);
  checkPrecision(
    config,
    inConfig((key) => key),
  );
  const dictionaries = config.dictionaries.map((each) => {
    const { submodule, io, dictionary_size, name, seed, ...own } = each;
    const train = { ...config.train, ...given(own) };
    return { name, submodule, io, dictionary_size, seed: seed ?? config.seed, train };
  });
  checkDictionaries(config, dictionaries);
  checkNormLimit(config, dictionaries);
  return { config, dictionaries };
};

/** Where a key of a dictionary's training stands: in its own entry, or in `train`. */
export const trainKey = ({ dictionaries }: RunConfig, index: number): Naming =>
  inConfig((key) => (Object.hasOwn(dictionaries[index] ?? {}, key) ? `dictionaries.${index}.${key}` : `train.${key}`));

/** Keys that every config has once its defaults are filled in. */
const KEYS = ["model", "data", "activations", "buffer", "train", "dictionaries"] as const;

const checkSource = ({ model, data, activations, buffer }: RunConfig): void => {
  if (activations !== null) {
    if (model !== null || data !== null) {
      throw new ConfigError("The config names activations and a model or data; it is one or the other.", {
        hint: "Leave model and data out to train on cached rows.",
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
    inConfig((key) => `buffer.${key}`),
  );
};

/** Rows that are dropped at one site would be missing at the others, and cached rows have been chosen already. */
const checkNormLimit = ({ activations, buffer }: RunConfig, dictionaries: readonly ResolvedDictionary[]): void => {
  if (buffer.max_activation_norm_multiple === null) return;
  const sites = new Set(dictionaries.map(({ submodule, io }) => `${io} ${submodule}`));
  if (activations === null && sites.size === 1) return;
  const instead = activations === null ? `this one reads ${sites.size}` : "this one trains on cached activations";
  throw new ConfigError(`buffer.max_activation_norm_multiple needs a run that reads one site, but ${instead}.`, {
    hint: "Leave it out, or train each site in a run of its own.",
  });
};

const checkDictionaries = (config: RunConfig, dictionaries: readonly ResolvedDictionary[]): void => {
  const { activations, random_streams } = config;
  const names = new Set<string>();
  for (const [index, { name, submodule, seed, train }] of dictionaries.entries()) {
    if (names.has(name)) {
      throw new ConfigError(`Two dictionaries are called ${name}.`, { hint: "Give each one a name of its own." });
    }
    names.add(name);
    if (submodule === undefined && activations === null) {
      throw new ConfigError(
        `The config lacks the key dictionaries.${index}.submodule, which must be given: a module's path.`,
      );
    }
    checkSchedules(train, trainKey(config, index));
    if (random_streams === "one" && seed !== dictionaries[0]?.seed) {
      throw new ConfigError("With random_streams: one, the dictionaries cannot have seeds of their own.");
    }
  }
};
