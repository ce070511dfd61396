import { isDeepStrictEqual } from "node:util";
import { ConfigError } from "../errors.ts";

/** Keys that a run may be resumed with another value of, since no number of the training depends on them. */
const FREE = new Set([
  "output",
  "resume",
  "resume_every",
  "worker_timeout",
  "device",
  "buffer.device",
  "train.log_steps",
  "train.save_steps",
]);

/** Throws a `ConfigError` when a run would be resumed with another config, or a script's other options, than it was begun with. */
export const checkSameRun = (begun: object, now: object): void => {
  const key = firstDifference(begun, now, "");
  if (key === undefined) return;
  throw new ConfigError(`The run was begun with another ${key}, so it cannot be resumed with this one.`, {
    hint: `Leave ${key} as it was, or start a run of its own in another folder.`,
  });
};

const firstDifference = (then: unknown, now: unknown, path: string): string | undefined => {
  if (FREE.has(path) || isDeepStrictEqual(then, now)) return undefined;
  if (!isGroup(then) || !isGroup(now)) return path;
  for (const key of new Set([...Object.keys(then), ...Object.keys(now)])) {
    const found = firstDifference(then[key], now[key], path === "" ? key : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
};

const isGroup = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === "object";
