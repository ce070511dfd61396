import { writeFileSync } from "node:fs";
import writeFileAtomic from "write-file-atomic";

/**
 * Writes a file atomically: to a temporary file, synced to disk, then renamed. Rejects with the system's error.
 *
 * Uses Node directly, since write-file-atomic takes a partial write on a full disk for a complete one.
 */
export const writeWhole = async (path: string, data: string | Uint8Array): Promise<void> => {
  await writeFileAtomic(path, "", { tmpfileCreated: (temporary) => writeFileSync(temporary, data) });
};
