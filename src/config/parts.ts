import type { z } from "zod";
import { bufferDefaults, bufferQuirks, given } from "./defaults.ts";
import { configError } from "./errors.ts";
import { Buffer, Resume, type RunConfig } from "./schema.ts";
import { type Train, TrainInput, trainDefaults } from "./train-schema.ts";

export type BufferSettings = RunConfig["buffer"];
export type BufferInput = Partial<BufferSettings>;
export type TrainSettingsInput = Partial<Train>;

/** The `buffer` part of a config, for scripts: checked, with the config's defaults, or under `compat` the reference's way. */
export const parseBuffer = (input: BufferInput, compat: RunConfig["compat"] = "none"): BufferSettings => ({
  ...bufferDefaults,
  ...(compat === "ddac948" ? bufferQuirks : {}),
  ...given(check(Buffer.partial(), input, "buffer")),
});

/** The `train` part of a config, for scripts: checked, with the config's defaults. */
export const parseTrain = (input: TrainSettingsInput): Train => ({
  ...trainDefaults,
  ...given(check(TrainInput, input, "train")),
});

/** The keys of a config that say what is kept for resuming, for scripts: checked. */
export const parseResume = (input: z.output<typeof Resume>, caller: string): z.output<typeof Resume> =>
  check(Resume, input, caller);

const check = <S extends z.ZodObject>(schema: S, input: unknown, source: string): z.output<S> => {
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw configError(parsed.error.issues, input, { source, overrides: {} });
  return parsed.data;
};
