import { closeSync, fsyncSync, openSync } from "node:fs";

/** Makes new names and renames in a folder outlast a power failure. */
export const syncFolder = (path: string): void => {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
};
