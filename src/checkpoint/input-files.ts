import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { z } from "zod";
import type { SourceFile } from "../buffer/index.ts";
import { DictlearnError } from "../errors.ts";
import { reasonOf } from "../system-errors.ts";

/** A file that a run reads, as it was when the run started. */
export const InputFile = z.strictObject({
  of: z.enum(["model", "text", "activations"]),
  /** Its path relative to the folder that the config names; empty where the config names the file. */
  name: z.string(),
  path: z.string(),
  bytes: z.int().min(0),
  /** Hash of the full file up to `WHOLE_BYTES`; of `BLOCKS` evenly spread blocks of it beyond. */
  sha256: z.string(),
});
export type InputFile = z.output<typeof InputFile>;

/** Reading a file of this size takes a fraction of a second. */
const WHOLE_BYTES = 2 ** 24;
const BLOCK_BYTES = 2 ** 20;
const BLOCKS = 16;

/** Size and hash of each file. */
export const fingerprint = async (files: readonly SourceFile[]): Promise<InputFile[]> => {
  const found: InputFile[] = [];
  for (const file of files) found.push(await describe(file));
  return found;
};

/**
 * Compares the current files of a run with those recorded. Returns the names of changed, missing and new text files:
 * whether they matter depends on how far the text was read. Throws `changed_input` for any other file.
 */
export const changedTexts = (then: readonly InputFile[], now: readonly InputFile[]): string[] => {
  const before = new Map(then.map((file) => [keyOf(file), file]));
  const after = new Map(now.map((file) => [keyOf(file), file]));
  const changed: string[] = [];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(key), after.get(key)];
    if (was?.bytes === is?.bytes && was?.sha256 === is?.sha256) continue;
    const { of, name, path } = (is ?? was) as InputFile;
    if (of === "text") changed.push(name);
    else {
      const what =
        is === undefined
          ? "is not there any more"
          : was === undefined
            ? "is new"
            : "was changed since the run was started";
      throw new DictlearnError(`The input file ${path} ${what}.`, {
        code: "changed_input",
        hint: `${was === undefined ? "Move it away" : "Put it back as it was"}, or start again in another folder.`,
      });
    }
  }
  return changed;
};

const keyOf = ({ of, name }: InputFile): string => `${of} ${name}`;

const describe = async ({ of, name, path }: SourceFile): Promise<InputFile> => {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    const hash = createHash("sha256");
    for (const [start, length] of pieces(size)) hash.update(await read(file, start, length));
    return { of, name, path, bytes: size, sha256: hash.digest("hex") };
  } catch (error) {
    throw new DictlearnError(`${path} cannot be read: ${reasonOf(error)}.`, { code: "broken_file", cause: error });
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
