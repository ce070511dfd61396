import type { HeldRows } from "../buffer/index.ts";
import type { AutoEncoder } from "../dictionary/index.ts";
import type { HandleRef, Params, Resampling, StepNumbers } from "../protocol/index.ts";
import { Handle } from "../worker/index.ts";
import { stepsThrough } from "./plan.ts";
import { deadSince, deadSinceForMetrics, resamplingAt } from "./resampling.ts";
import { learningRate, type ScheduleSettings, sparsityPenalty } from "./schedules.ts";
import type { TrainSettings } from "./settings.ts";

export interface TraineeOptions {
  readonly name: string;
  /** Index of its site in the source of rows. */
  readonly site: number;
  readonly settings: TrainSettings;
  /** Dtype of the matrix products, where it is not the dictionary's own. */
  readonly autocast: StepNumbers["autocast"];
  /** The random stream of its resampling. */
  readonly generator: HandleRef;
}

/** Rows whose losses are computed at once during a resampling. */
const RESAMPLE_CHUNK_ROWS = 8192;

/** The position of a trainee, apart from its state in the worker. */
export interface TraineePosition {
  readonly resampledAt: number | null;
  readonly scale: number;
}

/** One dictionary in training: its settings, and the numbers for its next steps. It owns the optimiser alone. */
export class Trainee implements AsyncDisposable {
  readonly name: string;
  readonly site: number;
  readonly settings: TrainSettings;
  readonly dictionary: AutoEncoder;
  readonly generator: HandleRef;
  readonly #handle: Handle;
  readonly #schedule: ScheduleSettings;
  readonly #adam: StepNumbers["adam"];
  readonly #autocast: StepNumbers["autocast"];
  #resampledAt: number | undefined;
  #scale = 1;

  private constructor(dictionary: AutoEncoder, handle: Handle, adam: StepNumbers["adam"], options: TraineeOptions) {
    const { settings } = options;
    this.name = options.name;
    this.site = options.site;
    this.settings = settings;
    this.dictionary = dictionary;
    this.generator = options.generator;
    this.#handle = handle;
    this.#adam = adam;
    this.#autocast = options.autocast;
    this.#schedule = { ...settings, resample_warmup_steps: settings.resample_warmup_steps ?? settings.warmup_steps };
  }

  /** Adds an optimiser to a dictionary. */
  static async create(dictionary: AutoEncoder, options: TraineeOptions): Promise<Trainee> {
    const { adam_beta1: beta1, adam_beta2: beta2, adam_epsilon: epsilon } = options.settings;
    const adam = { beta1, beta2, epsilon, fused: options.settings.adam_arithmetic === "fused" };
    const { trainee } = await dictionary.worker.call("trainee.create", { dictionary: dictionary.ref, adam });
    return new Trainee(dictionary, new Handle(dictionary.worker, trainee, "trainee"), adam, options);
  }

  get ref(): HandleRef {
    return this.#handle.ref;
  }

  /** Frees the optimiser's state; the dictionary stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.release();
  }

  get loss(): StepNumbers["loss"] {
    return { reconstruction: this.settings.reconstruction_loss, sparsity: this.settings.sparsity };
  }

  /** Whether it still trains at `step`. */
  wants(step: number): boolean {
    return this.settings.steps === null || step < this.settings.steps;
  }

  /** How many steps from `step` on can pass before it needs attention: to log, save, resample or end. */
  stepsUntilStop(step: number): number {
    const { steps, log_steps, save_steps, resample_steps } = this.settings;
    return Math.min(
      steps === null ? Number.POSITIVE_INFINITY : steps - step,
      stepsThrough(step, log_steps),
      stepsThrough(step, save_steps),
      stepsThrough(step, resample_steps, (resample_steps ?? 0) - 1),
    );
  }

  /** The numbers for `count` steps from `step` on. */
  numbers(step: number, count: number): StepNumbers {
    const steps = Array.from({ length: count }, (_, offset) => step + offset);
    return {
      trainee: this.ref,
      site: this.site,
      first_step: step,
      scale: this.#scale,
      lr: steps.map((each) => this.learningRate(each)),
      sparsity_penalty: steps.map((each) => sparsityPenalty(each, this.#schedule)),
      loss: this.loss,
      adam: this.#adam,
      fired: this.settings.fired,
      autocast: this.#autocast,
    };
  }

  learningRate(step: number): number {
    return learningRate(step, this.#schedule, this.#resampledAt);
  }

  logsAt(step: number): boolean {
    return this.settings.log_steps !== null && step % this.settings.log_steps === 0;
  }

  savesAt(step: number): boolean {
    return this.settings.save_steps !== null && step % this.settings.save_steps === 0;
  }

  resamplingAt(step: number, batchesLeft: number | null = null): "due" | "too-late" | "no" {
    return resamplingAt(step, this.settings, batchesLeft);
  }

  /** How its dead features are resampled. */
  get resampling(): Resampling {
    const { settings } = this;
    return {
      among: settings.resample_among,
      rows: settings.resample_rows,
      chunk_rows: RESAMPLE_CHUNK_ROWS,
      probability: settings.resample_probability,
      replacement: settings.resample_replacement,
      encoder: settings.resample_encoder,
      renormalize: settings.resample_renormalize,
      moments: settings.resample_moments,
      all_dead: settings.resample_all_dead,
    };
  }

  deadSince(step: number): number {
    return deadSince(step, this.settings);
  }

  deadSinceForMetrics(step: number): number {
    return deadSinceForMetrics(step, this.settings);
  }

  /** The factor that the rows are multiplied by; 1 unless `normalize_activations` is on. */
  get scale(): number {
    return this.#scale;
  }

  /** Scales all rows so that those that `source` holds now have a mean square norm of 1. */
  async normalize(source: HeldRows): Promise<void> {
    const params = { source: source.ref, site: this.site };
    const { mean_square_norm } = await source.worker.call("source.mean_square_norm", params);
    this.#scale = mean_square_norm > 0 ? 1 / Math.sqrt(mean_square_norm) : 1;
  }

  /** The request that saves the weights so that they hold for unscaled rows. */
  saveParams(path: string): Params<"dictionary.save"> {
    return { dictionary: this.dictionary.ref, path, bias_scale: 1 / this.#scale };
  }

  /** The rate warms up again from the step after this one. */
  resampled(step: number): void {
    this.#resampledAt = step;
  }

  /** Its position in this process, for a resume state: the step of the last resampling, and the scale of its rows. */
  position(): TraineePosition {
    return { resampledAt: this.#resampledAt ?? null, scale: this.#scale };
  }

  /** Restores such a position. */
  resumeAt({ resampledAt, scale }: TraineePosition): void {
    this.#resampledAt = resampledAt ?? undefined;
    this.#scale = scale;
  }
}
