import { isDeepStrictEqual } from "node:util";
import { ConfigError } from "../errors.ts";

/** Keys that name files, which may have moved, each with the input that its files belong to. */
export const MOVABLE = new Map([
  ["model", "model"],
  ["data.path", "text"],
  ["activations", "activations"],
] as const);

/** Keys whose value may change when a run resumes, since no number of the training depends on them. */
const FREE = new Set<string>([
  "output",
  "resume",
  "resume_every",
  "worker_timeout",
  "device",
  "buffer.device",
  "train.log_steps",
  "train.save_steps",
  // It runs after the training.
  "evaluation",
  // Compared by the contents of the files, see `openRecord`.
  ...MOVABLE.keys(),
]);

/**
 * Throws a `ConfigError` when a run would resume with a config, or a script with options, other than it started with.
 */
export const checkSameRun = (begun: object, now: object): void => {
  const key = firstDifference(begun, now, "");
  if (key !== undefined) throw anotherRun(key);
};

/** The error for a key that had another value when the run started. */
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
