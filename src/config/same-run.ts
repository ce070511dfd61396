import { isDeepStrictEqual } from "node:util";
import { ConfigError } from "../errors.ts";

/** Keys that name files, which may have been moved, each with what its files are a part of. */
export const MOVABLE = new Map([
  ["model", "model"],
  ["data.path", "text"],
  ["activations", "activations"],
] as const);

/** Keys that a run may be resumed with another value of, since no number of the training depends on them. */
const FREE = new Set<string>([
  "output",
  "resume",
  "resume_every",
  "worker_timeout",
  "device",
  "buffer.device",
  "train.log_steps",
  "train.save_steps",
  // It comes after the training.
  "evaluation",
  // Compared by what is in the files, see `openRecord`.
  ...MOVABLE.keys(),
]);

/** Throws a `ConfigError` when a run would be resumed with another config, or a script's other options, than it was begun with. */
export const checkSameRun = (begun: object, now: object): void => {
  const key = firstDifference(begun, now, "");
  if (key !== undefined) throw anotherRun(key);
};

/** The error for a key that was another one when the run was begun. */
export const anotherRun = (key: string): ConfigError =>
  new ConfigError(`The run was begun with another ${key}, so it cannot be resumed with this one.`, {
    hint: `Leave ${key} as it was, or start another run in another folder.`,
  });

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
