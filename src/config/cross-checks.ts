import { ConfigError } from "../errors.ts";
import type { RunConfig } from "./schema.ts";
import type { Train } from "./train-schema.ts";

/** How messages name keys, and who sets them. */
export interface Naming {
  readonly setter: string;
  /** Before the sentence. */
  readonly prefix: string;
  /** The path of a key: `train.decay_start` in a config. */
  readonly path: (key: string) => string;
}

export const inConfig = (path: (key: string) => string): Naming => ({ setter: "The config", prefix: "", path });

/** In a script, where keys are options of `caller`. */
export const inOptionsOf = (caller: string): Naming => ({
  setter: caller,
  prefix: `${caller}: `,
  path: (key) => key,
});

/**
 * What no single key of a `train` can say, for configs and for scripts. Throws a `ConfigError`.
 * Whether the architecture exists is asked elsewhere: a config may be read, though not run, that names one of tomorrow.
 */
export const checkSchedules = ({ steps, decay_start }: Train, { prefix, path }: Naming): void => {
  if (decay_start === null || steps === null || decay_start < steps) return;
  throw new ConfigError(`${prefix}${path("decay_start")} is ${decay_start}, but the last step is ${steps - 1}.`, {
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

/** Throws a `ConfigError` where products are to be rounded that are no float32 ones. */
export const checkPrecision = (
  { autocast, dtype }: Pick<RunConfig, "autocast" | "dtype">,
  { prefix, path }: Naming,
): void => {
  if (autocast === null || dtype === "float32") return;
  throw new ConfigError(
    `${prefix}${path("autocast")} is ${autocast}, which needs dtype: float32, but dtype is ${dtype}.`,
    {
      hint: "Leave one of the two keys out.",
    },
  );
};

/** Throws a `ConfigError` for a batch that is larger than the buffer. */
export const checkCapacity = (
  { n_ctxs, ctx_len, out_batch_size }: RunConfig["buffer"],
  { prefix, path }: Naming,
): void => {
  const capacity = n_ctxs * ctx_len;
  if (out_batch_size <= capacity) return;
  throw new ConfigError(
    `${prefix}${path("out_batch_size")} is ${out_batch_size}, but the buffer holds only n_ctxs × ctx_len = ${capacity} rows.`,
    { hint: `Raise ${path("n_ctxs")}, or lower ${path("out_batch_size")}.` },
  );
};

/** Keys of a run that a script's functions cannot have: they are about everything in the run at once. */
const OF_A_RUN = ["compat", "random_streams"];

/** Throws a `ConfigError` where a script asks one function for what only a whole run can do. */
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
