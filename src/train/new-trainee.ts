import type { RowSource } from "../buffer/index.ts";
import { parseTraining, type TrainSettingsInput } from "../config/index.ts";
import { AutoEncoder, type Dtype } from "../dictionary/index.ts";
import { ConfigError } from "../errors.ts";
import { resolveDevice } from "../nnsight/index.ts";
import { randomStream } from "../seeds.ts";
import type { Scope } from "../worker/index.ts";
import { Trainee } from "./trainee.ts";

/** The keys of the config's `train`, and the other options of a single dictionary. */
export interface TraineeInput extends TrainSettingsInput {
  /** Number of features. */
  readonly dictionary_size: number;
  readonly seed?: number;
  readonly device?: string;
  readonly dtype?: Dtype;
  /** Dtype of the matrix products, with a float32 dictionary; null: the dictionary's own. */
  readonly autocast?: "bfloat16" | null;
  readonly signal?: AbortSignal;
}

/**
 * A fresh dictionary with an optimiser for the first site of a source; `scope` owns both, and their random stream.
 * `caller` is the script's function. Throws a `ConfigError` for everything that is invalid in a config's `train`.
 */
export const newTrainee = async (
  source: RowSource,
  input: TraineeInput,
  { caller, scope }: { readonly caller: string; readonly scope: Scope },
): Promise<Trainee> => {
  const { dictionary_size, seed = 0, device = "auto", dtype = "float32", autocast = null, signal: _, ...train } = input;
  const settings = parseTraining(train, { dtype, autocast }, caller);
  const [widths] = source.widths;
  if (widths === undefined) throw new ConfigError("The buffer has no site to train on.");
  const { worker } = source;
  const on = resolveDevice(worker, device);
  const generator = scope.use(await randomStream(worker, seed, "dictionary")).ref;
  const shape = { inputWidth: widths.input, outputWidth: widths.output, size: dictionary_size, dtype };
  const dictionary = scope.use(
    await AutoEncoder.create(worker, shape, { device: on, generator, origin: source.origins?.[0] }),
  );
  return scope.use(await Trainee.create(dictionary, { name: "sae", site: 0, settings, autocast, generator }));
};

/** Runs before the first step: finds the scale of the rows, where the settings ask for it. */
export const normalize = async (trainee: Trainee, source: RowSource, signal?: AbortSignal): Promise<void> => {
  if (trainee.settings.normalize_activations && (await source.fill(signal))) await trainee.normalize(source);
};

/** Converts a dictionary that was trained on scaled rows to unscaled rows. */
export const restoreScale = async ({ dictionary, scale }: Trainee): Promise<void> => {
  if (scale === 1) return;
  await dictionary.worker.call("dictionary.scale_biases", { dictionary: dictionary.ref, factor: 1 / scale });
};
