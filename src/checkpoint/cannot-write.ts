import { DictlearnError } from "../errors.ts";
import { reasonOf } from "../system-errors.ts";

/** One sentence for a file or folder that could not be written. */
export const cannotWrite = (path: string, cause: unknown): DictlearnError =>
  new DictlearnError(`${path} could not be written: ${reasonOf(cause)}.`, { code: "cannot_write", cause });
