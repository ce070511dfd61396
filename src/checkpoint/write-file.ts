import { writeWhole } from "../write-whole.ts";
import { cannotWrite } from "./cannot-write.ts";

/** Writes JSON atomically. */
export const writeJson = async (path: string, value: unknown): Promise<void> =>
  await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`);

/** Writes a file atomically. Throws `cannot_write`. */
export const writeFile = async (path: string, data: string | Uint8Array): Promise<void> => {
  try {
    await writeWhole(path, data);
  } catch (error) {
    throw cannotWrite(path, error);
  }
};
