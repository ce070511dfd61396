import { realpathSync } from "node:fs";

/** The path without links and detours, so that one file has one name; what is not on the disk, such as a hub id, stays. */
export const realPath = (path: string): string => {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
};
