import { realpathSync } from "node:fs";

/** The canonical path, so that one file has one name; anything not on disk, such as a hub id, is unchanged. */
export const realPath = (path: string): string => {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
};
