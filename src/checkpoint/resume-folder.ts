import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DictlearnError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { errorCode } from "../system-errors.ts";
import { cannotWrite } from "./cannot-write.ts";
import { ResumeState, RunRecord, seal, unseal } from "./resume-state.ts";
import { syncFolder } from "./sync-folder.ts";
import { writeFile } from "./write-file.ts";

const RUN = "run.json";
const MANIFEST = "manifest.json";
const TENSORS = "state.safetensors";
const GENERATION = /^step-(\d+)$/;
/** If the newest state is damaged, one is left to fall back on. */
const GENERATIONS_KEPT = 2;

/** The states that a folder can resume from. */
export interface Durable {
  readonly run: RunRecord;
  /** undefined: nothing was saved yet, so the run starts from scratch. */
  readonly last: { readonly state: ResumeState; readonly tensors: string } | undefined;
  /** One sentence for each damaged state that was skipped. */
  readonly damage: readonly string[];
}

/**
 * The folder `resume/` of a run: `run.json`, and one folder `step-<n>` for each of the last states. A state is valid
 * once its `manifest.json` exists, which is written last and holds the tensors' hash; everything else is a leftover.
 * Manifests carry their own hash.
 */
export class ResumeFolder {
  readonly path: string;

  /** `output` is the run's folder. */
  constructor(output: string) {
    this.path = join(output, "resume");
  }

  /** Whether there is a run; a folder without a finished record does not count. */
  get exists(): boolean {
    return existsSync(join(this.path, RUN)) || this.#steps().some((step) => existsSync(this.#manifest(step)));
  }

  /** Records the run before its first step. */
  async begin(run: RunRecord): Promise<void> {
    makeFolder(this.path);
    await this.#write(join(this.path, RUN), seal(run));
  }

  /** Prepares the folder for the state after `step` steps and returns the path for its tensors. */
  prepare(step: number): string {
    const folder = join(this.path, `step-${step}`);
    try {
      discard(folder);
      makeFolder(folder);
      syncFolder(this.path);
    } catch (error) {
      throw cannotWrite(folder, error);
    }
    return join(folder, TENSORS);
  }

  /** Makes a state valid, once its tensors are on disk; then removes all but the last few. */
  async commit(state: Omit<ResumeState, "file">, written: { bytes: number; sha256: string }): Promise<void> {
    const manifest: ResumeState = { ...state, file: { name: TENSORS, ...written } };
    await this.#write(this.#manifest(state.step), seal(manifest));
    const older = this.#steps().filter((step) => step <= state.step);
    for (const step of older.slice(GENERATIONS_KEPT)) discard(join(this.path, `step-${step}`));
  }

  /** The newest intact state. Throws when no state can be trusted. */
  async read(): Promise<Durable> {
    const damage: string[] = [];
    for (const step of this.#steps()) {
      const folder = join(this.path, `step-${step}`);
      if (!existsSync(this.#manifest(step))) continue;
      try {
        const state = unseal(readFileSync(this.#manifest(step), "utf8"), ResumeState);
        if (state.step !== step) throw new Error(`it is the state after step ${state.step}`);
        const tensors = join(folder, state.file.name);
        await checkFile(tensors, state.file);
        return { run: state.run, last: { state, tensors }, damage };
      } catch (error) {
        damage.push(`The resume state ${folder} is damaged: ${reason(error)}.`);
      }
    }
    if (damage.length > 0) throw unusable(damage.join(" "));
    return { run: this.#readRun(), last: undefined, damage };
  }

  /** Removes leftovers and the states after the resumed one, so that only one history remains. */
  keepUpTo(step: number): void {
    for (const each of this.#steps()) if (each > step) discard(join(this.path, `step-${each}`));
  }

  /** Removes everything when the run is done. */
  remove(): void {
    for (const step of this.#steps()) discard(join(this.path, `step-${step}`));
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Steps of all states in the folder, intact or not, newest first. */
  #steps(): number[] {
    if (!existsSync(this.path)) return [];
    const found = readdirSync(this.path).map((name) => GENERATION.exec(name)?.[1]);
    return found
      .filter((step) => step !== undefined)
      .map(Number)
      .sort((a, b) => b - a);
  }

  #manifest(step: number): string {
    return join(this.path, `step-${step}`, MANIFEST);
  }

  #readRun(): RunRecord {
    const path = join(this.path, RUN);
    try {
      return unseal(readFileSync(path, "utf8"), RunRecord);
    } catch (error) {
      throw unusable(`${path} is damaged: ${reason(error)}.`);
    }
  }

  async #write(path: string, text: string): Promise<void> {
    await writeFile(path, text);
    try {
      syncFolder(dirname(path));
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }
}

/** Rejects, with the reason, unless the file has this size and hash. */
const checkFile = async (path: string, { bytes, sha256 }: { bytes: number; sha256: string }): Promise<void> => {
  const size = statSync(path).size;
  if (size !== bytes) throw new Error(`its tensors have ${size} bytes instead of ${bytes}`);
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  if (hash.digest("hex") !== sha256) throw new Error("the checksum of its tensors does not fit");
};

/** Removes a state, its manifest first: a half-removed state then counts as never written. */
const discard = (folder: string): void => {
  rmSync(join(folder, MANIFEST), { force: true });
  rmSync(folder, { recursive: true, force: true });
};

const unusable = (message: string): DictlearnError =>
  new DictlearnError(message, {
    code: "damaged_state",
    hint: "No intact resume state is left, so start anew with --overwrite; the checkpoints can still be used.",
  });

const reason = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return errorCode(error) === "ENOENT" ? "a file of it is missing" : error.message;
};
