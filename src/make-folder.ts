import { accessSync, constants, existsSync, lstatSync, mkdirSync, statfsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigError, DictlearnError } from "./errors.ts";
import { errorCode, reasonOf } from "./system-errors.ts";

/** Linux's numbers of file systems without user files: proc, sysfs, cgroup. */
const NO_DISKS = new Set([0x9fa0, 0x62656572, 0x27e0eb, 0x63677270]);
/** Another folder of the same disk would not help. */
const OF_THE_MACHINE = new Set(["ENOSPC", "EDQUOT", "EIO"]);

/**
 * Throws if `path` cannot be written or created, as a file or a folder with its parents: hours of work must not be lost
 * there. Changes nothing.
 */
export const requirePlace = (path: string): void => {
  try {
    const above = nearest(resolve(path));
    const found = statSync(above, { throwIfNoEntry: false });
    if (found === undefined) throw noPlace(`${path} cannot be made, because ${above} is a link that leads nowhere.`);
    if (above !== resolve(path) && !found.isDirectory()) {
      throw noPlace(`${path} cannot be made, because ${above} is a file.`);
    }
    if (NO_DISKS.has(statfsSync(above).type)) throw noPlace(`${path} cannot be made, because ${above} is no disk.`);
    accessSync(above, constants.W_OK);
  } catch (error) {
    throw error instanceof DictlearnError ? error : cannotMake(path, error);
  }
};

/**
 * Creates a folder and its parents, one by one: Node's recursive mkdir never ends below /proc. Returns the topmost one
 * created. Throws `no_place`, or `cannot_write` on a full or broken disk.
 */
export const makeFolder = (path: string): string | undefined => {
  requirePlace(path);
  try {
    return make(resolve(path));
  } catch (error) {
    throw cannotMake(path, error);
  }
};

const make = (path: string): string | undefined => {
  if (isFolder(path)) return undefined;
  const made = path === dirname(path) ? undefined : make(dirname(path));
  try {
    mkdirSync(path);
    return made ?? path;
  } catch (error) {
    // Another process created it in between.
    if (errorCode(error) !== "EEXIST" || !isFolder(path)) throw error;
    return made;
  }
};

/** Whether there is a folder at `path`, or a link to one. */
export const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

/** The nearest existing one of `path` and its parents. A dangling link exists too, and is in the way. */
const nearest = (path: string): string => {
  try {
    lstatSync(path);
    return path;
  } catch (error) {
    if (!["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) throw error;
    return nearest(dirname(path));
  }
};

const noPlace = (message: string, cause?: unknown): ConfigError =>
  new ConfigError(message, { code: "no_place", hint: "Name a place on a disk that you may write to.", cause });

const cannotMake = (path: string, cause: unknown): DictlearnError => {
  const message = `${path} could not be written: ${reasonOf(cause)}.`;
  if (!OF_THE_MACHINE.has(errorCode(cause) ?? "")) return noPlace(message, cause);
  return new DictlearnError(message, { code: "cannot_write", hint: "Make room, or name another place.", cause });
};
