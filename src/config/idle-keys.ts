import { isDeepStrictEqual } from "node:util";
import { withDefaults } from "./defaults.ts";
import type { ResolvedRun } from "./resolve.ts";
import type { RunConfig } from "./schema.ts";

/**
 * One sentence for each reason why keys that are set have no effect in this run. Keys that depend on the text's files
 * are checked there.
 */
export const idleKeys = ({ config, dictionaries }: ResolvedRun): string[] => {
  const set = setKeys(config);
  const among = (...starts: string[]) => set.filter((key) => starts.some((start) => key.startsWith(start)));
  const found: [keys: string[], reason: string][] = [];
  if (config.activations !== null) {
    const rows = among("buffer.", "evaluation.", "model_dtype", "trust_remote_code", "revision");
    found.push([rows.filter((key) => key !== "buffer.out_batch_size"), "the run trains on the rows of a file"]);
  }
  if (config.resume === "off") found.push([among("resume_every"), "resume is off"]);
  if (dictionaries.every(({ train }) => train.resample_steps === null)) {
    const resampling = among("train.resample_").filter((key) => key !== "train.resample_steps");
    found.push([resampling, "resample_steps is null"]);
  }
  if (config.buffer.keep !== "pad-token") found.push([among("buffer.pad_token"), "buffer.keep is not pad-token"]);
  if (config.evaluation !== null && config.data?.evaluation_every === null) {
    found.push([among("evaluation."), "no text is reserved for evaluation (data.evaluation_every)"]);
  }
  return found
    .filter(([keys]) => keys.length > 0)
    .map(
      ([keys, reason]) => `${keys.join(", ")} ${keys.length === 1 ? "does" : "do"} nothing here, because ${reason}.`,
    );
};

/** Paths of the keys whose value is not the default, or the default under `compat` where that is set. */
const setKeys = (config: RunConfig): string[] => {
  const { compat } = config;
  const defaults = withDefaults({ compat, evaluation: {}, dictionaries: [{ dictionary_size: 1 }] });
  return different(config, defaults, "");
};

const different = (config: object, defaults: object, prefix: string): string[] =>
  Object.entries(config).flatMap(([key, value]) => {
    const other: unknown = (defaults as Record<string, unknown>)[key];
    if (isDeepStrictEqual(value, other)) return [];
    const both = isGroup(value) && isGroup(other);
    return both ? different(value, other, `${prefix}${key}.`) : [`${prefix}${key}`];
  });

const isGroup = (value: unknown): value is object =>
  value !== null && typeof value === "object" && !Array.isArray(value);
