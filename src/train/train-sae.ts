import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RowSource } from "../buffer/index.ts";
import { parseTrain, type TrainSettingsInput } from "../config/index.ts";
import { AutoEncoder, type Dtype } from "../dictionary/index.ts";
import { ConfigError } from "../errors.ts";
import { resolveDevice } from "../nnsight/index.ts";
import type { StepMetrics } from "./events.ts";
import { trainLoop } from "./loop.ts";
import { deriveSeed } from "./seeds.ts";
import { Trainee } from "./trainee.ts";

/** The keys of the config's `train`, and what else a dictionary of its own needs. */
export interface TrainSAEOptions extends TrainSettingsInput {
  /** Number of features. */
  readonly dictionary_size: number;
  readonly seed?: number;
  readonly device?: string;
  readonly dtype?: Dtype;
  /** Dtype of the matrix products, with a float32 dictionary; null: the dictionary's own. */
  readonly autocast?: "bfloat16" | null;
  /** Where checkpoints go, as `checkpoints/ae_<step>.pt`; none are written without it. */
  readonly save_dir?: string;
  readonly signal?: AbortSignal;
  /** Called at every logged step. */
  readonly onMetrics?: (metrics: StepMetrics) => void;
}

/**
 * Trains a sparse autoencoder on a buffer's activations and returns it. `steps` is null unless given: training goes on
 * until the text ends. Nothing is written but checkpoints; call `save` on the result.
 */
export const trainSAE = async (source: RowSource, options: TrainSAEOptions): Promise<AutoEncoder> => {
  const {
    dictionary_size,
    seed = 0,
    device = "auto",
    dtype = "float32",
    autocast = null,
    save_dir,
    signal,
    onMetrics,
    ...train
  } = options;
  const settings = parseTrain({ steps: null, ...train });
  const [widths] = source.widths;
  if (widths === undefined) throw new ConfigError("The buffer has no site to train on.");
  const { worker } = source;
  const { generator } = await worker.call("generator.create", { seed: deriveSeed(seed, "dictionary") });
  const shape = { inputWidth: widths.input, outputWidth: widths.output, size: dictionary_size, dtype };
  const dictionary = await AutoEncoder.create(worker, shape, { device: resolveDevice(worker, device), generator });
  const trainee = await Trainee.create(dictionary, { name: "sae", site: 0, settings, autocast, generator });
  if (settings.normalize_activations && (await source.fill(signal))) await trainee.normalize(source);
  if (save_dir !== undefined) mkdirSync(join(save_dir, "checkpoints"), { recursive: true });
  await trainLoop(source, [trainee], {
    signal,
    observe: (event) => {
      if (event.type === "metrics") onMetrics?.(event.metrics);
    },
    ...(save_dir === undefined
      ? {}
      : { checkpointPath: (_: Trainee, step: number) => join(save_dir, "checkpoints", `ae_${step}.pt`) }),
  });
  if (trainee.scale !== 1) {
    await worker.call("dictionary.scale_biases", { dictionary: dictionary.ref, factor: 1 / trainee.scale });
  }
  return dictionary;
};
