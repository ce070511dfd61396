import type { RowSource } from "../buffer/index.ts";
import type { AutoEncoder } from "../dictionary/index.ts";
import type { StepMetrics } from "./events.ts";
import { metricsParams, resampleParams } from "./loop.ts";
import { newTrainee, normalize, restoreScale, type TraineeInput } from "./new-trainee.ts";
import type { Trainee } from "./trainee.ts";

export interface StepOptions {
  readonly lr: number;
  readonly sparsity_penalty: number;
  readonly signal?: AbortSignal;
}

/**
 * The pieces of a training run for a loop of the script's own: every step takes the rate and the penalty that the script
 * gives it, and the script says when features are resampled, and which. The settings' schedules are not looked at;
 * everything else of them holds (the loss, Adam's constants, how a resampled feature starts anew).
 */
export class Trainer {
  readonly #source: RowSource;
  readonly #trainee: Trainee;
  #step = 0;
  #tokens = 0;
  #lr = 0;

  private constructor(source: RowSource, trainee: Trainee) {
    this.#source = source;
    this.#trainee = trainee;
  }

  /** A fresh dictionary for the first site of `source`; the same as that of `trainSAE` with the same seed. */
  static async create(source: RowSource, options: TraineeInput): Promise<Trainer> {
    const trainee = await newTrainee(source, options);
    await normalize(trainee, source, options.signal);
    return new Trainer(source, trainee);
  }

  /** The dictionary as it is now; while it trains on scaled rows (`normalize_activations`), it is one for these. */
  get dictionary(): AutoEncoder {
    return this.#trainee.dictionary;
  }

  /** Steps that were taken. */
  get steps(): number {
    return this.#step;
  }

  /** Draws the next batch and takes one step on it: Adam with unit decoder columns. False when there are no rows left. */
  async step({ lr, sparsity_penalty, signal }: StepOptions): Promise<boolean> {
    const rows = await this.#source.next(1, signal);
    if (rows.length === 0) return false;
    const numbers = { ...this.#trainee.numbers(this.#step, 1), lr: [lr], sparsity_penalty: [sparsity_penalty] };
    await this.#source.worker.call("train.steps", { source: this.#source.ref, rows: [...rows], trainees: [numbers] });
    this.#step += 1;
    this.#tokens += rows[0] ?? 0;
    this.#lr = lr;
    return true;
  }

  /** The features that have not fired on any row in the last `steps` steps. */
  async silentFeatures(steps: number): Promise<readonly number[]> {
    const since = Math.max(0, this.#step - steps);
    return (await this.#source.worker.call("train.dead", { trainee: this.#trainee.ref, since })).features;
  }

  /**
   * Gives these features a new start, as the settings' `resample_…` keys say (by default Bricken et al. 2023). Returns
   * those that got one: fewer where there are too few distinct rows.
   */
  async resample(features: readonly number[]): Promise<readonly number[]> {
    if (features.length === 0) return [];
    const params = resampleParams(this.#source, this.#trainee, { step: this.#step - 1, features });
    return (await this.#source.worker.call("train.resample", params)).features;
  }

  /** The statistics of the last batch under the present weights. */
  async metrics(): Promise<StepMetrics> {
    const step = this.#step - 1;
    const result = await this.#source.worker.call("train.metrics", metricsParams(this.#source, this.#trainee, step));
    return { step, lr: this.#lr, tokens_seen: this.#tokens, ...result };
  }

  /** Ends the training: the dictionary, made one for the rows as they are. */
  async finish(): Promise<AutoEncoder> {
    await restoreScale(this.#trainee);
    return this.dictionary;
  }
}
