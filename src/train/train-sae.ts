import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { RowSource } from "../buffer/index.ts";
import { staleCheckpoints } from "../checkpoint/index.ts";
import type { AutoEncoder } from "../dictionary/index.ts";
import { ConfigError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { Scope } from "../worker/index.ts";
import type { Observer, RunEvent, StepMetrics } from "./events.ts";
import { trainLoop } from "./loop.ts";
import { newTrainee, normalize, restoreScale, type TraineeInput } from "./new-trainee.ts";
import { checkTraining } from "./script-options.ts";
import { type ResumeOptions, requireResumable, ScriptRun } from "./script-run.ts";
import type { Trainee } from "./trainee.ts";

export interface TrainSAEOptions extends TraineeInput, ResumeOptions {
  /** Where checkpoints go, as `checkpoints/ae_<step>.pt`, and the state; none are written without it. */
  readonly save_dir?: string;
  /** Called at every logged step. */
  readonly onMetrics?: (metrics: StepMetrics) => void;
  /** Called for every event: steps, metrics, resamplings, checkpoints, states, notices. */
  readonly onEvent?: (event: RunEvent) => void;
}

/**
 * Trains a sparse autoencoder on a buffer's activations and returns it. Without `steps`, training continues until the
 * text ends. Writes only checkpoints and, with `resume`, the state; call `save` on the result. When `signal` fires, the
 * state is kept and the current dictionary is returned. The dictionary stays in the worker until its `close`;
 * everything else is freed.
 *
 * @throws {ConfigError} for invalid or conflicting options, and where `save_dir` has the state of a training with
 *   different ones.
 * @throws {DictlearnError} `changed_input`, `damaged_state`, `output_in_use`; `NonFiniteLossError`, `OutOfMemoryError`.
 */
export const trainSAE = async (source: RowSource, options: TrainSAEOptions): Promise<AutoEncoder> => {
  checkTraining("trainSAE", source, options);
  const { onMetrics, onEvent, save_dir, resume: _, resume_every: __, ...input } = options;
  const observe: Observer = (event) => {
    if (event.type === "metrics") onMetrics?.(event.metrics);
    onEvent?.(event);
  };
  const resumable = requireResumable(source, options, "trainSAE");
  if (save_dir === undefined && typeof input.save_steps === "number") {
    throw new ConfigError(
      `trainSAE: save_steps is ${input.save_steps}, but there is no save_dir to keep checkpoints in.`,
      {
        hint: "Give save_dir, or leave save_steps out.",
      },
    );
  }
  await using scope = new Scope();
  const trainee = await newTrainee(source, input, { caller: "trainSAE", scope });
  const checkpoints = save_dir === undefined ? undefined : join(save_dir, "checkpoints");
  if (checkpoints !== undefined) makeFolder(checkpoints);
  const loop = {
    observe,
    signal: input.signal,
    ...(checkpoints === undefined
      ? {}
      : { checkpointPath: (_: Trainee, step: number) => join(checkpoints, `ae_${step}.pt`) }),
  };
  if (resumable === undefined) {
    await normalize(trainee, source, input.signal);
    await trainLoop(source, [trainee], loop);
  } else {
    await using run = await ScriptRun.open(resumable, trainee, { input, loop: "trainSAE", observe });
    const { from, fresh, keeper } = run;
    if (!fresh && checkpoints !== undefined) removeStale(checkpoints, trainee, from.step);
    const { reason } = await trainLoop(source, [trainee], { ...loop, from, keeper });
    if (reason !== "interrupted") run.finish();
  }
  await restoreScale(trainee);
  return scope.give(trainee.dictionary);
};

/** Checkpoints after the step at which the training resumes: they are written again. */
const removeStale = (checkpoints: string, trainee: Trainee, step: number): void => {
  const savesAt = (at: number) => trainee.savesAt(at);
  for (const name of staleCheckpoints(readdirSync(checkpoints), { step, savesAt })) rmSync(join(checkpoints, name));
};
