import type { ResolvedDictionary, RunConfig } from "../config/index.ts";
import type { SiteSpec } from "../nnsight/index.ts";
import { createTrainees, type Generators } from "../train/assemble.ts";
import { metricsParams } from "../train/loop.ts";
import { stepsPerMessage } from "../train/plan.ts";
import { Trainee } from "../train/trainee.ts";
import { CallWindow, Scope } from "../worker/index.ts";
import type { RepeatedRows } from "./repeated-rows.ts";
import { clock, type Patience, repeat, type Timing } from "./timing.ts";

/** The steps of one dictionary, in seconds, each with its draw. */
export interface StepsTiming {
  /** Of a fresh dictionary. */
  readonly dense: Timing;
  /** Of a dictionary with as few active features as a trained one. */
  readonly sparse: Timing;
  /** Active features per row in the sparse steps. */
  readonly l0: number;
  /** One computation of the metrics, of a fresh dictionary. */
  readonly metrics: Timing;
}

export interface MeasureOptions {
  readonly config: RunConfig;
  readonly sites: readonly SiteSpec[];
  readonly device: string;
  readonly generators: Generators;
  readonly signal?: AbortSignal | undefined;
}

/** Active features per row of a trained dictionary, or fewer where that would exceed this share of all. */
const TRAINED_L0 = 100;
const TRAINED_SHARE = 1 / 32;
/** A rate so small that the share of active features stays constant. */
const STILL = 1e-9;
/** Messages in flight, as in the loop. */
const WINDOW_DEPTH = 4;
/** Minimum seconds of one measurement of steps. */
const SAMPLE_SECONDS = 0.1;
const STEPS: Patience = { least: 3, most: 15, budget: 2 };
const METRICS: Patience = { least: 2, most: 5, budget: 0.5 };

/** Measures steps of a fresh dictionary and of one with few active features. Nothing is learnt. */
export const measureSteps = async (
  rows: RepeatedRows,
  dictionary: ResolvedDictionary,
  options: MeasureOptions,
): Promise<StepsTiming> => {
  const { source } = rows;
  const { worker } = source;
  const { config, signal } = options;
  await using scope = new Scope();
  const [fresh] = await createTrainees(source, [dictionary], { ...options, scope });
  if (fresh === undefined) throw new Error("No dictionary was made.");
  const autoencoder = fresh.dictionary;
  if (fresh.settings.normalize_activations) await fresh.normalize(source);
  const { name, site, settings, generator, scale } = fresh;
  const dense = await repeat(stepsOf(rows, fresh, STILL), { ...STEPS, signal });
  const look = async () => await worker.call("train.metrics", metricsParams(source, fresh, 0));
  const metrics = await repeat(async () => await clock(look), { ...METRICS, signal });
  // The optimiser may keep a copy of the weights, so the new weights need a new one.
  await fresh[Symbol.asyncDispose]();
  const wanted = Math.min(TRAINED_L0, autoencoder.shape.size * TRAINED_SHARE);
  const params = { dictionary: autoencoder.ref, source: source.ref, site, scale, l0: wanted };
  const { l0 } = await worker.call("bench.sparsify", params);
  const { autocast } = config;
  const trained = scope.use(await Trainee.create(autoencoder, { name, site, settings, autocast, generator }));
  trained.resumeAt({ resampledAt: null, scale });
  const sparse = await repeat(stepsOf(rows, trained, STILL), { ...STEPS, signal });
  return { dense, sparse, l0, metrics };
};

/** Takes steps as the loop does, a few messages ahead, for some time; returns the seconds of one step. */
const stepsOf = (rows: RepeatedRows, trainee: Trainee, lr: number): (() => Promise<number>) => {
  const { source } = rows;
  const most = Math.min(
    stepsPerMessage(source.batchRows, [trainee.dictionary]),
    trainee.settings.log_steps ?? Number.POSITIVE_INFINITY,
  );
  let messages = 1;
  return async () => {
    for (;;) {
      await rows.ready(messages * most);
      await using window = new CallWindow(source.worker, WINDOW_DEPTH);
      let steps = 0;
      const seconds = await clock(async () => {
        while (steps < messages * most) {
          const batches = rows.take(most);
          if (batches.length === 0) break;
          const numbers = { ...trainee.numbers(0, batches.length), lr: batches.map(() => lr) };
          steps += batches.length;
          await window.push("train.steps", { source: source.ref, rows: batches, trainees: [numbers] });
        }
        await window.drain();
      });
      if (seconds >= SAMPLE_SECONDS || steps < messages * most) return seconds / steps;
      messages *= 2;
    }
  };
};
