import type { ResolvedDictionary } from "../config/index.ts";
import { createTrainees } from "../train/assemble.ts";
import { metricsParams } from "../train/loop.ts";
import { Scope } from "../worker/index.ts";
import { type MeasureOptions, measureSteps, type StepsTiming } from "./measure-steps.ts";
import type { RepeatedRows } from "./repeated-rows.ts";

/** The measurements of one dictionary of a run. */
export interface DictionaryTiming extends StepsTiming {
  /** Sum of the steps' learning rates when the dictionary became sparse in a trial; null: it did not. */
  readonly dense_until: number | null;
}

/** The trial: small batches, to keep it short, and at most this many. Checked every few steps. */
const TRIAL = { rows: 256, steps: 200, every: 5, seconds: 12 };
/** Share of active features at which a dictionary counts as sparse: steps cost about half way between dense and trained. */
const SPARSE_SHARE = 1 / 16;
/** How much faster sparse steps must be than dense ones for their start to matter. */
const WORTH_A_TRIAL = 0.9;

/** Measures the steps of a dictionary, and where it matters, how soon it becomes sparse. */
export const measureDictionary = async (
  rows: RepeatedRows,
  dictionary: ResolvedDictionary,
  options: MeasureOptions,
): Promise<DictionaryTiming> => {
  const steps = await measureSteps(rows, dictionary, options);
  const pays = steps.sparse.seconds < WORTH_A_TRIAL * steps.dense.seconds;
  return { ...steps, dense_until: pays ? await tryOut(rows, dictionary, options) : null };
};

/**
 * The run's own first steps, on smaller batches and without the slow start of the warm-up, until few features are
 * active; returns the sum of the rates until then. Adam's steps are as long as the rate, whatever the gradient, so that
 * sum is more informative than the number of steps.
 */
const tryOut = async (
  rows: RepeatedRows,
  dictionary: ResolvedDictionary,
  options: MeasureOptions,
): Promise<number | null> => {
  const { source } = rows;
  const { worker } = source;
  const { signal } = options;
  await using scope = new Scope();
  const [trainee] = await createTrainees(source, [dictionary], { ...options, scope });
  if (trainee === undefined) throw new Error("No dictionary was made.");
  if (trainee.settings.normalize_activations) await trainee.normalize(source);
  const { lr, sparsity_penalty } = trainee.settings;
  const batch = Math.min(TRIAL.rows, source.batchRows);
  const begun = performance.now();
  let found: number | null = null;
  for (let step = 0; step < TRIAL.steps; step += TRIAL.every) {
    await rows.ready(TRIAL.every);
    const batches = rows.take(TRIAL.every).map((each) => Math.min(each, batch));
    const numbers = {
      ...trainee.numbers(step, batches.length),
      lr: batches.map(() => lr),
      sparsity_penalty: batches.map(() => sparsity_penalty),
    };
    await worker.call("train.steps", { source: source.ref, rows: batches, trainees: [numbers] }, { signal });
    const { l0 } = await worker.call("train.metrics", metricsParams(source, trainee, step));
    if (l0 <= SPARSE_SHARE * trainee.dictionary.shape.size) {
      found = (step + batches.length) * lr;
      break;
    }
    if (performance.now() - begun > TRIAL.seconds * 1000) break;
  }
  return found;
};
