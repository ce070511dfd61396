import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RowSource } from "../buffer/index.ts";
import type { AutoEncoder } from "../dictionary/index.ts";
import type { StepMetrics } from "./events.ts";
import { trainLoop } from "./loop.ts";
import { newTrainee, restoreScale, type TraineeInput } from "./new-trainee.ts";
import type { Trainee } from "./trainee.ts";

export interface TrainSAEOptions extends TraineeInput {
  /** Where checkpoints go, as `checkpoints/ae_<step>.pt`; none are written without it. */
  readonly save_dir?: string;
  /** Called at every logged step. */
  readonly onMetrics?: (metrics: StepMetrics) => void;
}

/**
 * Trains a sparse autoencoder on a buffer's activations and returns it. `steps` is null unless given: training goes on
 * until the text ends. Nothing is written but checkpoints; call `save` on the result.
 */
export const trainSAE = async (source: RowSource, options: TrainSAEOptions): Promise<AutoEncoder> => {
  const { save_dir, onMetrics, ...input } = options;
  const trainee = await newTrainee(source, input);
  if (save_dir !== undefined) mkdirSync(join(save_dir, "checkpoints"), { recursive: true });
  await trainLoop(source, [trainee], {
    signal: input.signal,
    observe: (event) => {
      if (event.type === "metrics") onMetrics?.(event.metrics);
    },
    ...(save_dir === undefined
      ? {}
      : { checkpointPath: (_: Trainee, step: number) => join(save_dir, "checkpoints", `ae_${step}.pt`) }),
  });
  await restoreScale(trainee);
  return trainee.dictionary;
};
