import { accessSync, constants, lstatSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigError } from "../errors.ts";
import { errorCode } from "../system-errors.ts";
import { cannotWrite } from "./cannot-write.ts";

/**
 * Throws when `path` is nothing that could be written or made, as a file or a folder with the folders above it: hours of work
 * are not to end there. Nothing is touched.
 */
export const requirePlace = (path: string): void => {
  let above = resolve(path);
  try {
    while (!isThere(above)) above = dirname(above);
    if (above !== resolve(path) && !statSync(above).isDirectory()) {
      throw new ConfigError(`${path} cannot be made, because ${above} is a file.`);
    }
    accessSync(above, constants.W_OK);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw cannotWrite(path, error);
  }
};

/** A link to nothing is there too, and in the way. */
const isThere = (path: string): boolean => {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) return false;
    throw error;
  }
};
