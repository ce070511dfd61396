import { existsSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { dirname, join } from "node:path";
import { DictlearnError } from "../errors.ts";
import { cannotWrite } from "./cannot-write.ts";
import type { DictionaryFolder } from "./output-folder.ts";

export interface RewindOptions {
  /** Steps after which the run resumes. */
  readonly step: number;
  /** Bytes of metrics.jsonl at that time. */
  readonly metrics: number;
  /** Whether a checkpoint is due after a step. */
  readonly savesAt: (step: number) => boolean;
}

/** Rewinds a dictionary's folder to `step` steps; the resumed run writes the removed files again, byte for byte. */
export const rewind = (folder: DictionaryFolder, { step, metrics, savesAt }: RewindOptions): void => {
  const size = existsSync(folder.metrics) ? statSync(folder.metrics).size : 0;
  if (size < metrics) {
    throw new DictlearnError(
      `${folder.metrics} has ${size} bytes, but had ${metrics} when the run's state was saved.`,
      { code: "damaged_state", hint: "Put the file back, or start anew with --overwrite." },
    );
  }
  try {
    if (size > metrics) truncateSync(folder.metrics, metrics);
    rmSync(folder.weights, { force: true });
    const checkpoints = dirname(folder.checkpoint(0));
    for (const name of staleCheckpoints(readdirSync(checkpoints), { step, savesAt })) rmSync(join(checkpoints, name));
    for (const name of readdirSync(folder.path)) if (LEFTOVER.test(name)) rmSync(join(folder.path, name));
  } catch (error) {
    throw cannotWrite(folder.path, error);
  }
};

/** Leftovers of an interrupted write: the worker's temporary file, or this process's. */
const LEFTOVER = /^\.ae.*\.pt\.|^config\.json\.\d+$/;

/** The files of `checkpoints/` that an uninterrupted run would not have after `step` steps. */
export const staleCheckpoints = (
  names: readonly string[],
  { step, savesAt }: Pick<RewindOptions, "step" | "savesAt">,
): string[] =>
  names.filter((name) => {
    const saved = /^ae_(\d+)\.pt$/.exec(name)?.[1];
    return saved === undefined ? LEFTOVER.test(name) : Number(saved) >= step || !savesAt(Number(saved));
  });
