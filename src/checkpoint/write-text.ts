import { writeWhole } from "../write-whole.ts";
import { cannotWrite } from "./cannot-write.ts";

/** Writes JSON whole or not at all. */
export const writeJson = async (path: string, value: unknown): Promise<void> =>
  await writeText(path, `${JSON.stringify(value, undefined, 2)}\n`);

/** Writes text whole or not at all. Throws `cannot_write`. */
export const writeText = async (path: string, text: string): Promise<void> => {
  try {
    await writeWhole(path, text);
  } catch (error) {
    throw cannotWrite(path, error);
  }
};
