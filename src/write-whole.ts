import { writeFileSync } from "node:fs";
import writeFileAtomic from "write-file-atomic";

/**
 * Writes a file whole or not at all: to a temporary name, to the disk, and renamed. Rejects with the system's error.
 *
 * Node writes it, since write-file-atomic takes a part that fits on a full disk for the whole.
 */
export const writeWhole = async (path: string, data: string | Uint8Array): Promise<void> => {
  await writeFileAtomic(path, "", { tmpfileCreated: (temporary) => writeFileSync(temporary, data) });
};
