import type { RowSource } from "../buffer/index.ts";
import type { AutoEncoder } from "../dictionary/index.ts";
import { ConfigError } from "../errors.ts";
import { checkArguments, kinds } from "../options/index.ts";
import { CallWindow, Scope } from "../worker/index.ts";
import type { Observer, RunEvent, StepMetrics } from "./events.ts";
import { metricsParams, resampleParams } from "./loop.ts";
import { newTrainee, normalize, restoreScale, type TraineeInput } from "./new-trainee.ts";
import { nothingToTrainOn } from "./nothing-to-train-on.ts";
import { checkStep, checkTraining } from "./script-options.ts";
import { type ResumeOptions, requireResumable, ScriptRun } from "./script-run.ts";
import type { Progress } from "./state-keeper.ts";
import type { Trainee } from "./trainee.ts";

export interface StepOptions {
  readonly lr: number;
  readonly sparsity_penalty: number;
  readonly signal?: AbortSignal;
}

export interface TrainerOptions extends TraineeInput, ResumeOptions {
  /** Called for states that are saved and restored, and for notices. */
  readonly onEvent?: (event: RunEvent) => void;
}

/**
 * The pieces of a training run for a custom loop: the script gives every step its rate and penalty, and decides when to
 * resample which features. The settings' schedules are ignored; everything else in them applies (the loss, Adam's
 * constants, how features are resampled).
 *
 * With `resume: "exact"` the same script, run again, resumes where it stopped, and ends with a byte-identical result,
 * if its decisions follow from `steps` and `resampledAt`:
 *
 *     await using trainer = await Trainer.create(buffer, { dictionary_size: 8192, save_dir: "runs/own", resume: "exact" });
 *     while (trainer.steps < 100_000 && (await trainer.step({ lr: rate(trainer.steps), sparsity_penalty: 1e-3 })));
 *     const ae = await trainer.finish();
 *
 * The dictionary that `finish` returns is the caller's. A trainer that is closed earlier frees its dictionary.
 */
export class Trainer implements AsyncDisposable {
  readonly #source: RowSource;
  readonly #trainee: Trainee;
  /** Owns the dictionary, its optimiser and its random stream, until it is finished. */
  readonly #scope: Scope;
  /** Saves its state, if the settings ask for it, until it is finished. */
  #run: ScriptRun | undefined;
  readonly #window: CallWindow;
  #step: number;
  #tokens: number;
  /**
   * Steps at the last check whether a state is due: the state before a step includes the script's changes since then.
   */
  #looked: number;
  #lr = 0;

  private constructor(
    source: RowSource,
    trainee: Trainee,
    { run, scope }: { readonly run: ScriptRun | undefined; readonly scope: Scope },
  ) {
    this.#source = source;
    this.#trainee = trainee;
    this.#scope = scope;
    this.#run = run;
    this.#window = new CallWindow(source.worker, 1);
    this.#step = run?.from.step ?? 0;
    this.#tokens = run?.from.tokens ?? 0;
    this.#looked = this.#step;
  }

  /**
   * A fresh dictionary for the first site of `source`, the same as that of `trainSAE` with the same seed; or one
   * restored from the state in `save_dir`. Throws as `trainSAE` does for conflicting or changed options.
   */
  static async create(source: RowSource, options: TrainerOptions): Promise<Trainer> {
    checkTraining("Trainer.create", source, options);
    const { save_dir: _, resume: __, resume_every: ___, onEvent, ...input } = options;
    const resumable = requireResumable(source, options, "Trainer.create");
    await using scope = new Scope();
    const trainee = await newTrainee(source, input, { caller: "Trainer.create", scope });
    let run: ScriptRun | undefined;
    if (resumable === undefined) {
      await normalize(trainee, source, input.signal);
    } else {
      const observe: Observer = (event) => onEvent?.(event);
      run = await ScriptRun.open(resumable, trainee, { input, loop: "own", observe });
    }
    return new Trainer(source, trainee, { run, scope: scope.move() });
  }

  /** The current dictionary; while it trains on scaled rows (`normalize_activations`), it is one for these. */
  get dictionary(): AutoEncoder {
    return this.#trainee.dictionary;
  }

  /** Steps taken, including those before an interruption. */
  get steps(): number {
    return this.#step;
  }

  /** The step after which features were resampled last; undefined: never. Steps count from 0. */
  get resampledAt(): number | undefined {
    return this.#trainee.position().resampledAt ?? undefined;
  }

  /** Draws the next batch and takes one step on it: Adam with unit decoder columns. False when there are no rows left. */
  async step(options: StepOptions): Promise<boolean> {
    checkStep(options);
    const { lr, sparsity_penalty, signal } = options;
    if (this.#looked < this.#step) {
      this.#looked = this.#step;
      await this.#run?.keeper.afterSteps(this.#window, this.#progress);
    }
    const rows = await this.#source.next(1, signal);
    if (rows.length === 0) {
      if (this.#step === 0) throw nothingToTrainOn(this.#source);
      return false;
    }
    const numbers = { ...this.#trainee.numbers(this.#step, 1), lr: [lr], sparsity_penalty: [sparsity_penalty] };
    await this.#source.worker.call("train.steps", { source: this.#source.ref, rows: [...rows], trainees: [numbers] });
    this.#step += 1;
    this.#tokens += rows[0] ?? 0;
    this.#lr = lr;
    return true;
  }

  /** The features that have not fired on any row in the last `steps` steps. */
  async silentFeatures(steps: number): Promise<readonly number[]> {
    checkArguments("Trainer.silentFeatures", { steps: [steps, kinds.whole(0)] });
    const since = Math.max(0, this.#step - steps);
    return (await this.#source.worker.call("train.dead", { trainee: this.#trainee.ref, since })).features;
  }

  /**
   * Resamples these features, as the settings' `resample_…` keys say (by default Bricken et al. 2023). Returns the
   * resampled ones: fewer where there are too few distinct rows.
   */
  async resample(features: readonly number[]): Promise<readonly number[]> {
    this.#checkFeatures(features);
    if (features.length === 0) return [];
    this.#requireStep("resample");
    const step = this.#step - 1;
    const params = resampleParams(this.#source, this.#trainee, { step, features });
    const resampled = (await this.#source.worker.call("train.resample", params)).features;
    if (resampled.length > 0) this.#trainee.resampled(step);
    return resampled;
  }

  /** The statistics of the last batch under the current weights. */
  async metrics(): Promise<StepMetrics> {
    this.#requireStep("metrics");
    const step = this.#step - 1;
    const result = await this.#source.worker.call("train.metrics", metricsParams(this.#source, this.#trainee, step));
    return { step, lr: this.#lr, tokens_seen: this.#tokens, ...result };
  }

  /** With `resume`: saves the current state, and returns once it is on disk. Otherwise does nothing. */
  async saveState(): Promise<void> {
    await this.#window.drain();
    await this.#run?.keeper.save(this.#progress);
  }

  /**
   * Ends the training: returns the dictionary, converted to unscaled rows. Removes its state and frees everything else.
   */
  async finish(): Promise<AutoEncoder> {
    if (this.#run !== undefined) {
      await this.#settle(this.#run);
      this.#run.finish();
    }
    await restoreScale(this.#trainee);
    const dictionary = this.#scope.give(this.dictionary);
    await this.close();
    return dictionary;
  }

  /**
   * For a script that stops before the end: completes a state that is being written, releases `save_dir` for other
   * scripts, and frees the dictionary and its optimiser. `await using` calls it at the end of its block.
   */
  async close(): Promise<void> {
    await using _scope = this.#scope;
    await using _window = this.#window;
    const run = this.#run;
    this.#run = undefined;
    try {
      // If the worker is gone, the previous state is the last.
      if (run !== undefined && this.#source.worker.alive) await this.#settle(run);
    } finally {
      await run?.[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #settle(run: ScriptRun): Promise<void> {
    await this.#window.drain();
    await run.keeper.settle();
  }

  #checkFeatures(features: readonly number[]): void {
    const { size } = this.#trainee.dictionary.shape;
    const words = `numbers of features, from 0 to ${size - 1}, each once`;
    const known = (each: unknown) => Number.isSafeInteger(each) && (each as number) >= 0 && (each as number) < size;
    checkArguments("Trainer.resample", {
      features: [
        features,
        kinds.that(
          `a list of ${words}`,
          (value) => Array.isArray(value) && value.every(known) && new Set(value).size === value.length,
        ),
      ],
    });
  }

  /** Operations on the last batch need one. */
  #requireStep(caller: string): void {
    if (this.#step === 0)
      throw new ConfigError(`Trainer.${caller}: no step was taken yet, so there is no batch to look at.`);
  }

  get #progress(): Progress {
    return { step: this.#step, tokens: this.#tokens };
  }
}
