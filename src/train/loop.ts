import type { HeldRows, RowSource } from "../buffer/index.ts";
import { CallWindow } from "../worker/index.ts";
import type { FinishReason, Observer, StepMetrics } from "./events.ts";
import { nothingToTrainOn } from "./nothing-to-train-on.ts";
import { stepsPerMessage } from "./plan.ts";
import type { Progress, StateKeeper } from "./state-keeper.ts";
import type { Trainee } from "./trainee.ts";

/** Messages in flight: enough that the worker never waits, few enough to stop soon. */
const WINDOW_DEPTH = 4;

export interface LoopOptions {
  readonly observe: Observer;
  readonly signal?: AbortSignal | undefined;
  /** Where to save the dictionary after `step`; undefined saves nothing. */
  readonly checkpointPath?: (trainee: Trainee, step: number) => string;
  /** Where an interrupted run resumes. */
  readonly from?: Progress;
  /** Saves the state that a run can resume from. */
  readonly keeper?: StateKeeper | undefined;
}

export interface LoopResult {
  readonly reason: FinishReason;
  /** Steps that were run. */
  readonly steps: number;
  /** Rows that were trained on. */
  readonly tokens: number;
}

/**
 * The training loop: take batches, send steps, and at the steps that ask for it resample, log and save. Messages are
 * pipelined; only a resampling waits, because the next rates depend on it. Logging and saving change nothing.
 */
export const trainLoop = async (
  source: RowSource,
  trainees: readonly Trainee[],
  options: LoopOptions,
): Promise<LoopResult> => {
  const { observe, signal, keeper } = options;
  await using window = new CallWindow(source.worker, WINDOW_DEPTH);
  const end = trainees.some(({ settings }) => settings.steps === null)
    ? null
    : Math.max(...trainees.map(({ settings }) => settings.steps ?? 0));
  let { step, tokens } = options.from ?? { step: 0, tokens: 0 };
  let reason: FinishReason = "steps";

  for (;;) {
    const active = trainees.filter((trainee) => trainee.wants(step));
    if (active.length === 0) break;
    if (signal?.aborted) {
      reason = "interrupted";
      break;
    }
    const most = Math.min(
      ...active.map((trainee) => trainee.stepsUntilStop(step)),
      stepLimit(source, active),
      keeper?.stepsUntilDue(step) ?? Number.POSITIVE_INFINITY,
    );
    const rows = await nextBatches(source, most, { signal, window });
    if (rows === undefined) {
      reason = "interrupted";
      break;
    }
    if (rows.length === 0) {
      if (step === 0) throw nothingToTrainOn(source);
      reason = "exhausted";
      break;
    }
    step += rows.length;
    tokens += rows.reduce((sum, each) => sum + each, 0);
    const done = { type: "step", step, steps: end, tokens } as const;
    const numbers = active.map((trainee) => trainee.numbers(step - rows.length, rows.length));
    await window.push("train.steps", { source: source.ref, rows: [...rows], trainees: numbers }, () => observe(done));
    for (const trainee of active) await afterStep(trainee, step - 1, tokens, { window, source, options });
    await keeper?.afterSteps(window, { step, tokens });
  }
  await window.drain();
  if (reason === "interrupted") await keeper?.save({ step, tokens });
  else await keeper?.settle();
  // dictionary_learning ddac948 takes a batch before it checks whether a step is left.
  if (reason === "steps" && trainees.some(({ settings }) => settings.fetch_surplus_batch)) await fetchSurplus(source);
  return { reason, steps: step, tokens };
};

interface After {
  readonly window: CallWindow;
  readonly source: RowSource;
  readonly options: LoopOptions;
}

/** The work due after a step: first the resampling, then the log, then the checkpoint, as in the reference. */
const afterStep = async (
  trainee: Trainee,
  step: number,
  tokens: number,
  { window, source, options }: After,
): Promise<void> => {
  const { observe, checkpointPath } = options;
  const resampling = await whetherToResample(trainee, step, { window, source });
  if (resampling === "due") await resample(trainee, step, { window, source, options });
  if (resampling === "too-late") {
    observe({
      type: "notice",
      message: `${trainee.name}: no resampling after step ${step}, because too few steps are left to train new features.`,
    });
  }
  if (trainee.logsAt(step)) {
    const context = { step, lr: trainee.learningRate(step), tokens_seen: tokens };
    await window.push("train.metrics", metricsParams(source, trainee, step), (result) =>
      observe({ type: "metrics", dictionary: trainee.name, metrics: { ...context, ...result } }),
    );
  }
  if (checkpointPath !== undefined && trainee.savesAt(step)) {
    const path = checkpointPath(trainee, step);
    await window.push("dictionary.save", trainee.saveParams(path), () =>
      observe({ type: "saved", dictionary: trainee.name, step, path }),
    );
  }
};

/**
 * The schedule's decision; if it is yes, also checks that the source has enough rows left to train the new features.
 */
const whetherToResample = async (trainee: Trainee, step: number, { window, source }: Omit<After, "options">) => {
  const planned = trainee.resamplingAt(step);
  if (planned !== "due" || trainee.settings.resample_last_step) return planned;
  await window.drain();
  // Not stopped by the signal: the state after this step must hold its resampling.
  return trainee.resamplingAt(step, await source.batchesLeft());
};

const resample = async (trainee: Trainee, step: number, { window, source, options }: After): Promise<void> => {
  await window.drain();
  const { worker } = source;
  const { features } = await worker.call("train.dead", { trainee: trainee.ref, since: trainee.deadSince(step) });
  if (features.length === 0) return;
  const resampled = await worker.call("train.resample", resampleParams(source, trainee, { step, features }));
  if (resampled.features.length === 0) return;
  trainee.resampled(step);
  options.observe({ type: "resampled", dictionary: trainee.name, step, ...resampled });
};

/** The statistics of the last batch under the current weights. */
export const measure = async (
  source: RowSource,
  trainee: Trainee,
  { steps, tokens }: LoopResult,
): Promise<StepMetrics> => {
  const step = Math.min(steps, trainee.settings.steps ?? steps) - 1;
  const result = await source.worker.call("train.metrics", metricsParams(source, trainee, step));
  return { step, lr: trainee.learningRate(step), tokens_seen: tokens, ...result };
};

/** The request that resamples these features of a trainee after step `step`. */
export const resampleParams = (
  source: RowSource,
  trainee: Trainee,
  { step, features }: { readonly step: number; readonly features: readonly number[] },
) => ({
  source: source.ref,
  trainee: trainee.ref,
  site: trainee.site,
  scale: trainee.scale,
  step,
  features: [...features],
  generator: trainee.generator,
  resampling: trainee.resampling,
});

/** The request that measures the last batch of a trainee after step `step`. */
export const metricsParams = (source: HeldRows, trainee: Trainee, step: number) => ({
  source: source.ref,
  trainee: trainee.ref,
  site: trainee.site,
  scale: trainee.scale,
  loss: trainee.loss,
  dead_since: trainee.deadSinceForMetrics(step),
});

const stepLimit = (source: RowSource, active: readonly Trainee[]): number =>
  stepsPerMessage(
    source.batchRows,
    active.map(({ dictionary }) => dictionary),
  );

/** undefined when the signal fired while rows were being computed. */
const nextBatches = async (
  source: RowSource,
  most: number,
  { signal, window }: { readonly signal: AbortSignal | undefined; readonly window: CallWindow },
) => {
  try {
    return await source.next(most, signal);
  } catch (error) {
    // A step that failed explains the failures after it.
    await window.drain();
    if (signal?.aborted) return undefined;
    throw error;
  }
};

const fetchSurplus = async (source: RowSource): Promise<void> => {
  const rows = await source.next(1);
  if (rows.length > 0) await source.worker.call("train.steps", { source: source.ref, rows: [...rows], trainees: [] });
};
