import { createHash } from "node:crypto";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { DictlearnError } from "../errors.ts";

/** A file that a run reads, as it was when the run was started. */
export const InputFile = z.strictObject({
  path: z.string(),
  bytes: z.int().min(0),
  /** Of the whole file up to `WHOLE_BYTES`; of `BLOCKS` evenly spread blocks of it beyond. */
  sha256: z.string(),
});
export type InputFile = z.output<typeof InputFile>;

/** Reading a file of this size takes a fraction of a second. */
const WHOLE_BYTES = 2 ** 24;
const BLOCK_BYTES = 2 ** 20;
const BLOCKS = 16;

/** Size and hash of each file, and of every file below each folder; a path that does not exist is left out. */
export const fingerprint = async (paths: readonly string[]): Promise<InputFile[]> => {
  const found: InputFile[] = [];
  for (const path of paths) for (const file of await filesAt(path)) found.push(await describe(file));
  return found;
};

/** Throws when a file is gone or is not what it was: the text's position would then point somewhere else. */
export const checkUnchanged = async (inputs: readonly InputFile[]): Promise<void> => {
  for (const input of inputs) {
    const [now] = await fingerprint([input.path]);
    if (now?.bytes === input.bytes && now.sha256 === input.sha256) continue;
    const what = now === undefined ? "is not there any more" : "was changed since the run was started";
    throw new DictlearnError(`The input file ${input.path} ${what}.`, {
      code: "changed_input",
      hint: "Put it back as it was, from the same working directory, or start anew with --overwrite.",
    });
  }
};

const filesAt = async (path: string): Promise<string[]> => {
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) return [];
  if (!facts.isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
};

const describe = async (path: string): Promise<InputFile> => {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const hash = createHash("sha256");
    for (const [start, length] of pieces(size)) hash.update(await read(file, start, length));
    return { path, bytes: size, sha256: hash.digest("hex") };
  } finally {
    await file.close();
  }
};

/** Which [start, length] of a file are hashed. */
const pieces = (size: number): [number, number][] => {
  if (size <= WHOLE_BYTES) return [[0, size]];
  const last = size - BLOCK_BYTES;
  return Array.from({ length: BLOCKS }, (_, index) => [Math.round((index * last) / (BLOCKS - 1)), BLOCK_BYTES]);
};

const read = async (file: FileHandle, start: number, length: number): Promise<Buffer> => {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, start);
  return buffer.subarray(0, bytesRead);
};
