const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would be larger than allowed",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOENT: "a folder on its path is not there, and cannot be made",
  ENOTDIR: "a part of its path is a file",
  EEXIST: "something else of that name is in the way",
  EISDIR: "it is a folder",
  ELOOP: "its path is a circle of links",
  ENAMETOOLONG: "its name is too long",
};

/** The operating system's reason for an error, as the text after a colon. */
export const reasonOf = (cause: unknown): string =>
  REASONS[errorCode(cause) ?? ""] ?? (cause instanceof Error ? cause.message : String(cause));

/** The operating system's name of an error, such as ENOSPC. */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
