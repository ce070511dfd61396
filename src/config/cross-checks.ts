import { ConfigError } from "../errors.ts";
import type { RunConfig } from "./schema.ts";
import type { Train } from "./train-schema.ts";
import { valueOnly, type Whence } from "./whence.ts";

/** How messages name keys and their source. */
export interface Naming {
  readonly setter: string;
  /** Prefix of the sentence. */
  readonly prefix: string;
  /** The path of a key: `train.decay_start` in a config. */
  readonly path: (key: string) => string;
  /** Where values come from; undefined where only the values are known. */
  readonly whence?: Whence | undefined;
}

export const inConfig = (path: (key: string) => string, whence?: Whence): Naming => ({
  setter: "The config",
  prefix: "",
  path,
  whence,
});

/** `train.steps is 40 (command line)`. */
const say = ({ path, whence = valueOnly }: Naming, key: string, value: unknown): string => whence(path(key), value);

/** The end of a sentence: the source of the numbers that it was computed from. */
const from = (naming: Naming, values: Readonly<Record<string, unknown>>): string =>
  naming.whence === undefined
    ? ""
    : `: ${Object.entries(values)
        .map(([key, value]) => say(naming, key, value))
        .join(", ")}`;

/** In a script, where keys are options of `caller`. */
export const inOptionsOf = (caller: string): Naming => ({
  setter: caller,
  prefix: `${caller}: `,
  path: (key) => key,
});

/**
 * Checks combinations of `train` keys, for configs and for scripts. Throws a `ConfigError`. Whether the architecture is
 * available is checked elsewhere: a config that names a future one can be read, though not run.
 */
export const checkSchedules = ({ steps, decay_start }: Train, naming: Naming): void => {
  if (decay_start === null || steps === null || decay_start < steps) return;
  const { prefix, path } = naming;
  const start = say(naming, "decay_start", decay_start);
  throw new ConfigError(`${prefix}${start}, but the last step is ${steps - 1}${from(naming, { steps })}.`, {
    hint: `Set ${path("decay_start")} to at most ${steps - 1}, or to null for no decay.`,
  });
};

/** Throws a `ConfigError` for an architecture that this version cannot train yet. */
export const checkArchitecture = ({ architecture }: Train, { setter, path }: Naming): void => {
  if (architecture === "standard") return;
  throw new ConfigError(
    `${setter} sets ${path("architecture")} to "${architecture}", which this version cannot train yet.`,
    {
      hint: "Leave the key out: this version trains standard dictionaries.",
    },
  );
};

/** Throws a `ConfigError` where rounding is requested for products that are not float32. */
export const checkPrecision = ({ autocast, dtype }: Pick<RunConfig, "autocast" | "dtype">, naming: Naming): void => {
  if (autocast === null || dtype === "float32") return;
  const { prefix, path, whence = valueOnly } = naming;
  throw new ConfigError(
    `${prefix}${say(naming, "autocast", autocast)}, which needs dtype: float32, but ${whence("dtype", dtype)}.`,
    { hint: `Set ${path("autocast")} to null, or dtype to float32.` },
  );
};

/** Throws a `ConfigError` for a batch that is larger than the buffer. */
export const checkCapacity = ({ n_ctxs, ctx_len, out_batch_size }: RunConfig["buffer"], naming: Naming): void => {
  const capacity = n_ctxs * ctx_len;
  if (out_batch_size <= capacity) return;
  const { prefix, path } = naming;
  const batch = say(naming, "out_batch_size", out_batch_size);
  const least = Math.ceil(out_batch_size / ctx_len);
  throw new ConfigError(
    `${prefix}${batch}, but the buffer holds only n_ctxs × ctx_len = ${capacity} rows${from(naming, { n_ctxs, ctx_len })}.`,
    { hint: `Set ${path("n_ctxs")} to at least ${least}, or ${path("out_batch_size")} to at most ${capacity}.` },
  );
};

/** Keys of a run that a script's functions do not accept: they concern the run as a whole. */
const OF_A_RUN = ["compat", "random_streams"];

/** Throws a `ConfigError` where a script asks one function for something that only a full run can do. */
export const refuseRunKeys = (options: object, caller: string): void => {
  const key = OF_A_RUN.find((each) => Object.hasOwn(options, each));
  if (key === undefined) return;
  throw new ConfigError(
    `${caller} has no option ${key}: it is one of a whole run, with one random stream for all of it.`,
    {
      hint: 'Train with runTraining(resolveRun(parseConfig({ compat: "ddac948", … })), worker, …).',
    },
  );
};
