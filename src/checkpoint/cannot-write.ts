import { DictlearnError } from "../errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would be larger than allowed",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
};

/** One sentence for a file or folder that could not be written. */
export const cannotWrite = (path: string, cause: unknown): DictlearnError => {
  const reason = REASONS[errorCode(cause) ?? ""] ?? String(cause);
  return new DictlearnError(`${path} could not be written: ${reason}.`, { code: "cannot_write", cause });
};

/** The operating system's name of an error, such as ENOSPC. */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
