import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RowSource } from "../buffer/index.ts";
import type { AutoEncoder } from "../dictionary/index.ts";
import { resolveDevice } from "../nnsight/index.ts";
import type { Observer, RunEvent, StepMetrics } from "./events.ts";
import { trainLoop } from "./loop.ts";
import { newTrainee, normalize, restoreScale, type TraineeInput } from "./new-trainee.ts";
import { requireResumable, ScriptRun } from "./script-run.ts";
import type { Trainee } from "./trainee.ts";

export interface TrainSAEOptions extends TraineeInput {
  /** Where checkpoints go, as `checkpoints/ae_<step>.pt`; none are written without it. */
  readonly save_dir?: string;
  /**
   * What is kept in `save_dir/resume` for going on after an interruption: `exact`, so that the training ends in the bytes of
   * an undisturbed one; `light`, which goes on with fresh rows; `off`, which is the default. A call that finds the state of
   * one before, with the same options and a buffer made in the same way, goes on from it. The rows must come from a file or a
   * dataset (`ActivationBuffer.create` with a path, or `CachedRows`), not from the script's own strings.
   */
  readonly resume?: "exact" | "light" | "off";
  /** Steps, or a time such as `10m`, between two states; 500 unless given. */
  readonly resume_every?: number | string;
  /** Called at every logged step. */
  readonly onMetrics?: (metrics: StepMetrics) => void;
  /** Hears of everything that happens: steps, metrics, resamplings, checkpoints, states, notices. */
  readonly onEvent?: (event: RunEvent) => void;
}

/**
 * Trains a sparse autoencoder on a buffer's activations and returns it. `steps` is null unless given: training goes on
 * until the text ends. Nothing is written but checkpoints and, with `resume`, the state; call `save` on the result. When
 * `signal` fires, the state is kept, and the dictionary comes back as it is then.
 *
 * @throws {ConfigError} for options that are none or do not go together, and where `save_dir` has the state of a training
 * with other ones.
 * @throws {DictlearnError} `changed_input`, `damaged_state`, `output_in_use`; `NonFiniteLossError`, `OutOfMemoryError`.
 */
export const trainSAE = async (source: RowSource, options: TrainSAEOptions): Promise<AutoEncoder> => {
  const { save_dir, onMetrics, onEvent, resume = "off", resume_every = RESUME_EVERY, ...input } = options;
  const observe: Observer = (event) => {
    if (event.type === "metrics") onMetrics?.(event.metrics);
    onEvent?.(event);
  };
  const kept = { save_dir, resume, resume_every };
  const resumable = resume === "off" ? undefined : requireResumable(source, { ...kept, resume });
  const trainee = await newTrainee(source, input);
  const begin = async () => await normalize(trainee, source, input.signal);
  const { signal } = input;
  if (save_dir !== undefined) mkdirSync(join(save_dir, "checkpoints"), { recursive: true });
  const loop = {
    signal,
    observe,
    ...(save_dir === undefined
      ? {}
      : { checkpointPath: (_: Trainee, step: number) => join(save_dir, "checkpoints", `ae_${step}.pt`) }),
  };
  if (resumable === undefined || resume === "off") {
    await begin();
    await trainLoop(source, [trainee], loop);
  } else {
    const { dictionary_size, seed = 0, dtype = "float32", autocast = null } = input;
    const settings = { dictionary_size, seed, dtype, autocast };
    const device = resolveDevice(source.worker, input.device ?? "auto");
    await using run = await ScriptRun.open(resumable, trainee, {
      ...kept,
      resume,
      settings,
      device,
      begin,
      observe,
      signal,
    });
    const { reason } = await trainLoop(source, [trainee], { ...loop, from: run.from, keeper: run.keeper });
    if (reason !== "interrupted") run.finish();
  }
  await restoreScale(trainee);
  return trainee.dictionary;
};

const RESUME_EVERY = 500;
