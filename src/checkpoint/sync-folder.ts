import { closeSync, fsyncSync, openSync } from "node:fs";

/** Makes new files and renames in a folder survive a power failure. */
export const syncFolder = (path: string): void => {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
};
