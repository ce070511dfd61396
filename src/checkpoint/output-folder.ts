import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, DictlearnError } from "../errors.ts";
import { makeFolder, requirePlace } from "../make-folder.ts";
import { shellQuoted } from "../shell-quoted.ts";
import { errorCode } from "../system-errors.ts";
import { cannotWrite } from "./cannot-write.ts";
import { checkUnlocked, type FolderLock, LOCK_FILES, lockFolder } from "./folder-lock.ts";
import { ResumeFolder } from "./resume-folder.ts";

/** The files of a run; `--overwrite` removes these and nothing else. */
const OWN_FILES = ["ae.pt", "config.json", "evaluation.json", "metrics.jsonl", "checkpoints", "resume"];

export interface ClaimOptions {
  /** Replace the files of an earlier run. */
  readonly overwrite?: boolean;
  /** Resume the run in the folder. */
  readonly resume?: boolean;
}

/** The folder for one dictionary's files. */
export interface DictionaryFolder {
  readonly path: string;
  readonly weights: string;
  readonly config: string;
  readonly metrics: string;
  readonly evaluation: string;
  readonly checkpoint: (step: number) => string;
}

/**
 * The output folder of a run, locked from the moment it is claimed, so that two runs never write into the same one. If
 * nothing was written, releasing it removes it.
 */
export class OutputFolder implements AsyncDisposable {
  readonly path: string;
  /** The states that the run can resume from. */
  readonly resume: ResumeFolder;
  readonly #created: string | undefined;
  readonly #lock: FolderLock;

  private constructor(path: string, created: string | undefined, lock: FolderLock) {
    this.path = path;
    this.resume = new ResumeFolder(path);
    this.#created = created;
    this.#lock = lock;
  }

  /** Throws when the folder holds another run's files, or another run is active; changes nothing in that case. */
  static check(path: string, { overwrite = false, resume = false }: ClaimOptions = {}): void {
    requirePlace(path);
    if (!existsSync(path)) return;
    const entries = listFolder(path);
    checkUnlocked(path);
    const unfinished = new ResumeFolder(path).exists;
    // A run killed before its folder was claimed leaves nothing of value.
    const others = entries.filter((entry) => !LOCK_FILES.includes(entry) && (unfinished || entry !== "resume"));
    if (others.length === 0 || overwrite || resume) return;
    throw new DictlearnError(
      unfinished
        ? `The output folder ${path} holds a run that is not finished.`
        : `The output folder ${path} already holds files (${others.slice(0, 3).join(", ")}).`,
      {
        code: "output_exists",
        hint: unfinished
          ? `Continue it with \`dictlearn train --resume ${shellQuoted(path)}\`, or replace it with --overwrite.`
          : "Choose another one with --output, or replace the old run with --overwrite.",
      },
    );
  }

  /** Creates and locks the folder. */
  static async claim(path: string, options: ClaimOptions = {}): Promise<OutputFolder> {
    OutputFolder.check(path, options);
    const created = makeFolder(path);
    const lock = await lockFolder(path);
    try {
      // Under the lock no other process can have written in between.
      if (options.overwrite) for (const entry of listFolder(path)) removeOld(path, entry);
      return new OutputFolder(path, created, lock);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw cannotWrite(path, error);
    }
  }

  /** Throws when this process no longer owns the folder. */
  checkHeld(): void {
    this.#lock.check();
  }

  /** The folder itself when the run has one dictionary, a subfolder when it has several. */
  dictionary(name: string, { alone }: { readonly alone: boolean }): DictionaryFolder {
    const path = alone ? this.path : join(this.path, name);
    makeFolder(join(path, "checkpoints"));
    return {
      path,
      weights: join(path, "ae.pt"),
      config: join(path, "config.json"),
      metrics: join(path, "metrics.jsonl"),
      evaluation: join(path, "evaluation.json"),
      checkpoint: (step) => join(path, "checkpoints", `ae_${step}.pt`),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lock[Symbol.asyncDispose]();
    if (this.#created !== undefined && !holdsFiles(this.path)) rmSync(this.path, { recursive: true, force: true });
  }
}

const listFolder = (path: string): string[] => {
  try {
    return readdirSync(path);
  } catch (error) {
    if (errorCode(error) === "ENOTDIR") throw new ConfigError(`The output ${path} is a file, but must be a folder.`);
    throw cannotWrite(path, error);
  }
};

/** Removes the files of an old run at `entry`, which is one of them or the folder of one dictionary. */
const removeOld = (path: string, entry: string): void => {
  if (LOCK_FILES.includes(entry)) return;
  const full = join(path, entry);
  if (OWN_FILES.includes(entry)) rmSync(full, { recursive: true });
  else if (existsSync(join(full, "config.json")))
    for (const own of OWN_FILES) rmSync(join(full, own), { recursive: true, force: true });
};

const holdsFiles = (path: string): boolean =>
  existsSync(path) && readdirSync(path, { recursive: true, withFileTypes: true }).some((entry) => !entry.isDirectory());
