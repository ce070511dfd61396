import { existsSync } from "node:fs";
import type { RowSource } from "../buffer/index.ts";
import { configJson, type DictionaryFolder, type OutputFolder, writeJson } from "../checkpoint/index.ts";
import type { ResolvedRun } from "../config/index.ts";
import { DictlearnError } from "../errors.ts";
import { shellQuoted } from "../shell-quoted.ts";
import { version } from "../version.ts";
import { RemoteError } from "../worker/index.ts";
import type { Observer } from "./events.ts";
import { type LoopResult, measure } from "./loop.ts";
import type { Trainee } from "./trainee.ts";

/** Creates the dictionaries' folders and writes each config.json, unless a resumed run has it already. */
export const prepareFolders = async (
  output: OutputFolder,
  source: RowSource,
  trainees: readonly Trainee[],
  { run, device, fresh }: { readonly run: ResolvedRun; readonly device: string; readonly fresh: boolean },
): Promise<DictionaryFolder[]> => {
  const versions = { dictlearn: version, ...source.worker.info.versions };
  const folders: DictionaryFolder[] = [];
  for (const [index, dictionary] of run.dictionaries.entries()) {
    const folder = output.dictionary(dictionary.name, { alone: run.dictionaries.length === 1 });
    const widths = source.widths[trainees[index]?.site ?? 0];
    if (widths === undefined) throw new Error(`No rows for ${dictionary.name}.`);
    if (fresh || !existsSync(folder.config)) {
      await writeJson(folder.config, configJson({ config: run.config, dictionary, widths, device, versions }));
    }
    folders.push(folder);
  }
  return folders;
};

/** Saves the trained dictionaries: `ae.pt` after the last step, or a checkpoint where the run was interrupted. */
export const saveResults = async (
  source: RowSource,
  trainees: readonly Trainee[],
  folders: readonly DictionaryFolder[],
  { result, observe }: { readonly result: LoopResult; readonly observe: Observer },
): Promise<void> => {
  if (result.steps === 0) return;
  for (const [index, trainee] of trainees.entries()) {
    const folder = folders[index];
    if (folder === undefined) continue;
    const metrics = await measure(source, trainee, result);
    // A dictionary that had all its steps is done, whatever stopped the others.
    const reason = trainee.wants(result.steps) ? result.reason : "steps";
    const path = reason === "interrupted" ? folder.checkpoint(metrics.step) : folder.weights;
    await source.worker.call("dictionary.save", trainee.saveParams(path));
    observe({ type: "saved", dictionary: trainee.name, step: metrics.step, path });
    observe({ type: "finished", dictionary: trainee.name, reason, metrics });
  }
};

export interface FailureFacts {
  readonly trainees: readonly Trainee[];
  /** Steps run. */
  readonly steps: number;
  /** The last checkpoint of each dictionary that has one. */
  readonly lastCheckpoints: ReadonlyMap<string, string>;
}

/** Adds context to a numerical failure: which dictionary, when, and the last good checkpoint. */
export const explainFailure = (error: unknown, { trainees, steps, lastCheckpoints }: FailureFacts): unknown => {
  if (!(error instanceof RemoteError) || !FAILURES_OF_NUMBERS.has(error.code)) return error;
  const several = trainees.length > 1;
  const saved = [...lastCheckpoints].map(([name, path]) => (several ? `${name}: ${path}` : path)).join(", ");
  const whose = trainees.find(({ ref }) => ref.id === error.data.trainee)?.name;
  const prefix = several && whose !== undefined ? `${whose}: ` : "";
  const when = error.code === "non_finite_weights" ? ` The run stopped after step ${steps - 1}.` : "";
  const checkpoint = saved === "" ? "No checkpoint was written before." : `The last good checkpoint is ${saved}.`;
  const advice = error.code === "all_dead" ? error.hint : "Lower train.lr, or look at the rows.";
  return new DictlearnError(`${prefix}${error.message}${when}`, {
    code: error.code,
    hint: `${checkpoint} ${advice}`,
    cause: error,
  });
};

const FAILURES_OF_NUMBERS = new Set(["non_finite_loss", "non_finite_weights", "all_dead"]);

/**
 * Says how to continue the run once the cause of a failure is gone: nothing up to the last state is lost. Leaves
 * failures that only another config would fix unchanged, since a run keeps its config.
 */
export const explainStop = (
  error: unknown,
  output: OutputFolder | undefined,
  { evaluating }: { readonly evaluating: boolean },
): unknown => {
  if (!output?.resume.exists || !(error instanceof DictlearnError)) return error;
  const cure = CURES[error.code];
  if (cure === undefined) return error;
  const command = `\`dictlearn train --resume ${shellQuoted(output.path)}\``;
  const without = evaluating
    ? ` The training is done: add \`--evaluation null\` to end the run without evaluation.`
    : "";
  const hint = `${cure(command, error.hint)}${without}`;
  return new DictlearnError(error.message, { code: error.code, hint, cause: error });
};

const afterHint = (command: string, hint: string | undefined): string =>
  hint === undefined ? `Continue with ${command}.` : `${hint} Then continue with ${command}.`;
/** For hints that name keys of the config. */
const beforeHint = (command: string, hint: string | undefined): string =>
  `Continue with ${command}.${hint === undefined ? "" : ` If that fails again, start another run: ${hint}`}`;

/** The remedy for a failure, by its code; `command` continues the run. */
const CURES: Readonly<Record<string, (command: string, hint: string | undefined) => string>> = {
  cannot_write: (command) => afterHint(command, "Make room or mend the permissions."),
  broken_file: afterHint,
  malformed_line: afterHint,
  // The data read so far has the field, so another field would not help.
  missing_field: (command) => afterHint(command, "Write that field into the record, or remove the record."),
  hub_unreachable: afterHint,
  device_failed: beforeHint,
  out_of_memory: beforeHint,
  worker_died: beforeHint,
  worker_start: afterHint,
  defect: (command) => `If it happens again when you continue with ${command}, it is a defect: please report it.`,
};

/** Explains the failure of an evaluation at the end of a run; the run is done all the same. */
export const explainEvaluation = (error: unknown, { path }: OutputFolder): unknown => {
  if (!(error instanceof DictlearnError)) return error;
  const measure = `The weights are saved; \`dictlearn evaluate ${shellQuoted(path)}\` evaluates them.`;
  return new DictlearnError(`The run is done, but its evaluation failed: ${error.message}`, {
    code: error.code,
    hint: error.hint === undefined ? measure : `${error.hint} ${measure}`,
    cause: error,
  });
};
