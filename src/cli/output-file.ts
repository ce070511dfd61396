import { dirname, resolve } from "node:path";
import { ConfigError } from "../errors.ts";
import { isFolder, requirePlace } from "../make-folder.ts";

/**
 * Throws where `option` names a file that cannot be written; `example` is a valid one. Called before the work, not
 * after.
 */
export const requireOutputFile = (option: string, path: string, example: string): void => {
  requirePlace(path);
  const folder = dirname(resolve(path));
  if (!isFolder(folder)) {
    throw new ConfigError(`${option} is ${path}, but there is no folder ${folder}.`, {
      hint: "Make the folder first.",
    });
  }
  if (isFolder(path)) {
    throw new ConfigError(`${option} is ${path}, which is a folder, but must be the name of a file.`, {
      hint: `Name a file in it, such as ${example}.`,
    });
  }
};
