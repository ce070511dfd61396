import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import lockfile from "proper-lockfile";
import writeFileAtomic from "write-file-atomic";
import { ConfigError, DictlearnError } from "../errors.ts";

const LOCK = ".lock";
/** What a run writes; `--overwrite` removes these and nothing else. */
const OWN_FILES = ["ae.pt", "config.json", "metrics.jsonl", "checkpoints", "resume"];

/** The folder of one dictionary's files. */
export interface DictionaryFolder {
  readonly path: string;
  readonly weights: string;
  readonly config: string;
  readonly metrics: string;
  readonly checkpoint: (step: number) => string;
}

/**
 * The output folder of a run, held by a lock from the moment it is claimed, so that two runs never write into one.
 * A folder in which nothing was written disappears again when it is released.
 */
export class OutputFolder implements AsyncDisposable {
  readonly path: string;
  readonly #created: string | undefined;
  readonly #release: () => Promise<void>;

  private constructor(path: string, created: string | undefined, release: () => Promise<void>) {
    this.path = path;
    this.#created = created;
    this.#release = release;
  }

  /** Throws when another run's files are there, or another run is at work; touches nothing in that case. */
  static check(path: string, { overwrite = false } = {}): void {
    if (!existsSync(path)) return;
    const entries = listFolder(path);
    if (entries.includes(LOCK) && lockfile.checkSync(path, lockOptions(path))) throw inUse(path);
    const others = entries.filter((entry) => entry !== LOCK);
    if (others.length === 0 || overwrite) return;
    throw new DictlearnError(`The output folder ${path} already holds files (${others.slice(0, 3).join(", ")}).`, {
      code: "output_in_use",
      hint: "Choose another one with --output, or replace the old run with --overwrite.",
    });
  }

  /** Makes the folder and takes its lock. */
  static async claim(path: string, { overwrite = false } = {}): Promise<OutputFolder> {
    OutputFolder.check(path, { overwrite });
    let created: string | undefined;
    try {
      created = mkdirSync(path, { recursive: true });
    } catch (error) {
      throw cannotWrite(path, error);
    }
    try {
      const release = await lockfile.lock(path, lockOptions(path));
      if (overwrite) for (const entry of listFolder(path)) removeOld(path, entry);
      return new OutputFolder(path, created, release);
    } catch (error) {
      if (isCode(error, "ELOCKED")) throw inUse(path);
      throw cannotWrite(path, error);
    }
  }

  /** The folder itself when the run has one dictionary, a folder below it when it has several. */
  dictionary(name: string, { alone }: { readonly alone: boolean }): DictionaryFolder {
    const path = alone ? this.path : join(this.path, name);
    mkdirSync(join(path, "checkpoints"), { recursive: true });
    return {
      path,
      weights: join(path, "ae.pt"),
      config: join(path, "config.json"),
      metrics: join(path, "metrics.jsonl"),
      checkpoint: (step) => join(path, "checkpoints", `ae_${step}.pt`),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#release();
    if (this.#created !== undefined && !holdsFiles(this.path)) rmSync(this.path, { recursive: true, force: true });
  }
}

/** Writes JSON to a temporary name, fsyncs and renames it. */
export const writeJson = async (path: string, value: unknown): Promise<void> =>
  await writeText(path, `${JSON.stringify(value, undefined, 2)}\n`);

/** Writes text to a temporary name, fsyncs and renames it. */
export const writeText = async (path: string, text: string): Promise<void> => {
  try {
    await writeFileAtomic(path, text);
  } catch (error) {
    throw cannotWrite(path, error);
  }
};

/** One sentence for a file or folder that could not be written. */
export const cannotWrite = (path: string, cause: unknown): DictlearnError => {
  const reason = isCode(cause, "ENOSPC")
    ? "the disk is full"
    : isCode(cause, "EACCES")
      ? "permission denied"
      : String(cause);
  return new DictlearnError(`${path} could not be written: ${reason}.`, { code: "cannot_write", cause });
};

const lockOptions = (path: string) => ({
  lockfilePath: join(path, LOCK),
  stale: 30_000,
  update: 10_000,
  realpath: false,
});

const inUse = (path: string): DictlearnError =>
  new DictlearnError(`Another run is writing into the output folder ${path}.`, {
    code: "output_in_use",
    hint: "Wait until it ends, or choose another folder with --output.",
  });

const listFolder = (path: string): string[] => {
  try {
    return readdirSync(path);
  } catch (error) {
    if (isCode(error, "ENOTDIR")) throw new ConfigError(`The output ${path} is a file, but must be a folder.`);
    throw cannotWrite(path, error);
  }
};

/** Removes the files of an old run at `entry`, which is one of them or the folder of one dictionary. */
const removeOld = (path: string, entry: string): void => {
  if (entry === LOCK) return;
  const full = join(path, entry);
  if (OWN_FILES.includes(entry)) rmSync(full, { recursive: true });
  else if (existsSync(join(full, "config.json")))
    for (const own of OWN_FILES) rmSync(join(full, own), { recursive: true, force: true });
};

const holdsFiles = (path: string): boolean =>
  existsSync(path) && readdirSync(path, { recursive: true, withFileTypes: true }).some((entry) => !entry.isDirectory());

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code;
