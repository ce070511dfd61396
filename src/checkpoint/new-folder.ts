import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { ConfigError, DictlearnError } from "../errors.ts";
import { makeFolder, requirePlace } from "../make-folder.ts";
import { cannotWrite } from "./cannot-write.ts";
import { syncFolder } from "./sync-folder.ts";

/** The files of a converted dictionary; a folder with anything else in it is never replaced. */
const REPLACEABLE = new Set([
  "ae.pt",
  "config.json",
  "cfg.json",
  "sae_weights.safetensors",
  "sae.safetensors",
  "unfolded.safetensors",
]);

/**
 * A folder that is created atomically: its files are written to a temporary folder next to it, and `commit` renames
 * that. Without a commit it is removed.
 */
export class NewFolder implements AsyncDisposable {
  /** Where to write the files to. */
  readonly path: string;
  readonly #final: string;
  /** The topmost parent folder that had to be created. */
  readonly #made: string | undefined;
  #committed = false;

  private constructor(path: string, final: string, made: string | undefined) {
    this.path = path;
    this.#final = final;
    this.#made = made;
  }

  /** Throws when the path exists and may not be replaced; changes nothing in that case. */
  static check(path: string, { overwrite = false } = {}): void {
    requirePlace(path);
    if (!existsSync(path)) return;
    if (!statSync(path).isDirectory()) throw new ConfigError(`${path} is a file, but must be a folder.`);
    const entries = readdirSync(path);
    if (entries.length === 0) return;
    const others = entries.filter((entry) => !REPLACEABLE.has(entry));
    if (others.length > 0) {
      throw new DictlearnError(
        `${path} holds files that a converted dictionary has not (${others.slice(0, 3).join(", ")}), so it is not replaced.`,
        {
          code: "output_exists",
          hint: "Choose another folder.",
        },
      );
    }
    if (!overwrite) {
      throw new DictlearnError(`${path} already holds a dictionary (${entries.slice(0, 3).join(", ")}).`, {
        code: "output_exists",
        hint: "Choose another folder, or replace it with --overwrite.",
      });
    }
  }

  static async create(path: string, { overwrite = false } = {}): Promise<NewFolder> {
    NewFolder.check(path, { overwrite });
    try {
      const final = existsSync(path) ? realpathSync(path) : resolve(path);
      const made = makeFolder(dirname(final));
      return new NewFolder(mkdtempSync(join(dirname(final), `.${basename(final)}.`)), final, made);
    } catch (error) {
      throw error instanceof DictlearnError ? error : cannotWrite(path, error);
    }
  }

  /** Moves the folder to its path and replaces an earlier one. */
  commit(): void {
    const old = `${this.path}.old`;
    const replaces = existsSync(this.#final);
    try {
      // mkdtemp creates folders that only their owner may read.
      chmodSync(this.path, 0o777 & ~process.umask());
      syncFolder(this.path);
      if (replaces) renameSync(this.#final, old);
      try {
        renameSync(this.path, this.#final);
      } catch (error) {
        if (replaces) renameSync(old, this.#final);
        throw error;
      }
      this.#committed = true;
      syncFolder(dirname(this.#final));
    } catch (error) {
      throw cannotWrite(this.#final, error);
    }
    if (replaces) rmSync(old, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#committed) return;
    rmSync(this.path, { recursive: true, force: true });
    if (this.#made !== undefined) removeEmpty(dirname(this.#final), this.#made);
  }
}

/** Removes a folder and its parents up to `top`, as long as they are empty. */
const removeEmpty = (path: string, top: string): void => {
  try {
    rmdirSync(path);
  } catch {
    return;
  }
  if (path !== top) removeEmpty(dirname(path), top);
};
