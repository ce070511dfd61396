import type { z } from "zod";
import {
  checkArchitecture,
  checkCapacity,
  checkPrecision,
  checkSchedules,
  inOptionsOf,
  refuseRunKeys,
} from "./cross-checks.ts";
import { bufferDefaults, bufferQuirks, given } from "./defaults.ts";
import { configError } from "./errors.ts";
import { Buffer, Resume, type RunConfig } from "./schema.ts";
import { type Train, TrainInput, trainDefaults } from "./train-schema.ts";

export type BufferSettings = RunConfig["buffer"];
export type BufferInput = Partial<BufferSettings>;
export type TrainSettingsInput = Partial<Train>;

/**
 * The `buffer` part of a config, for scripts: checked, with the config's defaults, or under `compat` the reference's
 * values.
 */
export const parseBuffer = (input: BufferInput, compat: RunConfig["compat"] = "none"): BufferSettings => ({
  ...bufferDefaults,
  ...(compat === "ddac948" ? bufferQuirks : {}),
  ...given(check(Buffer.partial(), input, "buffer")),
});

/** The keys of a run that decide the precision of a training. */
export type Precision = Pick<RunConfig, "dtype" | "autocast">;

/**
 * The `train` part of a config, for `caller`, a script's function: checked like a config, with its defaults, but
 * `steps` null.
 */
export const parseTraining = (input: TrainSettingsInput, precision: Precision, caller: string): Train => {
  refuseRunKeys(input, caller);
  const train = { ...trainDefaults, steps: null, ...given(check(TrainInput, input, "train")) };
  const named = inOptionsOf(caller);
  checkArchitecture(train, named);
  checkSchedules(train, named);
  checkPrecision(precision, named);
  return train;
};

/**
 * The `buffer` part of a config for a buffer that is filled from text, for `caller`: includes the checks across keys.
 */
export const parseFilledBuffer = (input: BufferInput, caller: string): BufferSettings => {
  refuseRunKeys(input, caller);
  const settings = parseBuffer(input);
  checkCapacity(settings, inOptionsOf(caller));
  return settings;
};

/** The keys of `buffer`, of `train` and of resuming, for scripts whose options include them. */
export const bufferKinds = Buffer.partial().shape;
export const trainKinds = TrainInput.shape;
export const resumeKinds = Resume.partial().shape;

/** The keys of a config about resuming, for scripts: checked. */
export const parseResume = (input: z.output<typeof Resume>, caller: string): z.output<typeof Resume> =>
  check(Resume, input, caller);

const check = <S extends z.ZodObject>(schema: S, input: unknown, source: string): z.output<S> => {
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw configError(parsed.error.issues, input, { source, overrides: {} });
  return parsed.data;
};
