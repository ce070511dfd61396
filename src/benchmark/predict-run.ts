import { ActivationBuffer, bufferShape, CachedRows, rowsAppended } from "../buffer/index.ts";
import {
  type ResolvedDictionary,
  type ResolvedRun,
  type RunConfig,
  requireAvailable,
  runKind,
} from "../config/index.ts";
import { resolveDevice, type Widths } from "../nnsight/index.ts";
import { checkArguments } from "../options/index.ts";
import { Generators, openSource, type RunSource } from "../train/assemble.ts";
import { stepFlops } from "../train/flops.ts";
import { explainOutOfMemory } from "../train/out-of-memory.ts";
import { estimateResources, type RowFacts, requireResources } from "../train/resources.ts";
import { distinctSites, siteIndex } from "../train/sites.ts";
import { Scope, type Worker } from "../worker/index.ts";
import { type BenchOptions, checkBench } from "./bench-machine.ts";
import { type DictionaryTiming, measureDictionary } from "./measure-dictionary.ts";
import { measureDraw } from "./measure-draw.ts";
import { type EvaluationTiming, measureEvaluation } from "./measure-evaluation.ts";
import { type HarvestTiming, measureHarvest } from "./measure-harvest.ts";
import type { MeasureOptions } from "./measure-steps.ts";
import { rowsOfText } from "./measure-text.ts";
import { measurePeak, type Peak, precisionOf } from "./peak.ts";
import { countRun, type PredictedTime, predictTime, type RunCounts } from "./prediction.ts";
import { RepeatedRows } from "./repeated-rows.ts";
import type { Timing } from "./timing.ts";

/** The measured steps of one dictionary. Similar dictionaries share a measurement. */
export interface MeasuredDictionary extends DictionaryTiming {
  readonly name: string;
  /** Share of the device's peak that a dense step reaches. */
  readonly share_of_peak: number;
}

/**
 * The predicted time of a run on this machine, the measurements that it is computed from, and the omissions. Times are
 * seconds.
 */
export interface RunPrediction extends PredictedTime {
  readonly device: string;
  /**
   * False where the run ends with its text, whose length is unknown: then all times are for a million tokens, without
   * start and evaluation.
   */
  readonly whole: boolean;
  readonly steps: number;
  /** Rows to train on. */
  readonly tokens: number;
  readonly counts: RunCounts;
  readonly measured: {
    readonly peak: Peak;
    readonly start: number;
    /** Rows in the text, if it ends before the run does; null: enough, or too many to count. */
    readonly text: number | null;
    /** `share_of_peak`: only the model's products. null: the rows are cached. */
    readonly harvest: (HarvestTiming & { readonly share_of_peak: number }) | null;
    /** One draw of a batch, on its own. */
    readonly draw: Timing;
    readonly dictionaries: readonly MeasuredDictionary[];
    readonly evaluation: EvaluationTiming | null;
  };
  /** Parts that the time does not include, each a phrase. */
  readonly left_out: readonly string[];
}

const TOKENS_WITHOUT_END = 1_000_000;

/**
 * Measures the pieces of a run on this machine and predicts its time. Runs its model on some of its text, draws a batch
 * from a buffer of its size, and takes dense and sparse steps of every kind of dictionary. Writes only the model's
 * cache. Throws as the run would if it cannot start, including for lack of memory or disk.
 */
export const predictRun = async (
  run: ResolvedRun,
  worker: Worker,
  options: Omit<BenchOptions, "device"> = {},
): Promise<RunPrediction> => {
  checkArguments("predictRun", { run: [run, runKind] });
  checkBench("predictRun", worker, options);
  requireAvailable(run);
  try {
    return await measureRun(run, worker, options);
  } catch (error) {
    throw explainOutOfMemory(error, run.config);
  }
};

const measureRun = async (
  run: ResolvedRun,
  worker: Worker,
  options: Omit<BenchOptions, "device">,
): Promise<RunPrediction> => {
  const { config, dictionaries } = run;
  const { signal } = options;
  const progress = stages(options, dictionaries.length);
  const device = resolveDevice(worker, config.device);
  const { tf32, deterministic } = config;
  progress("products of matrices");
  const peak = await measurePeak(worker, { device, precision: precisionOf(config, device), deterministic });
  await worker.call("configure", { tf32, deterministic });

  progress("the model and the text are opened");
  await using scope = new Scope();
  const generators = scope.use(await Generators.create(worker, config));
  const sites = config.activations ? [] : distinctSites(dictionaries);
  const measuring: MeasureOptions = { config, sites, device, generators, signal };
  const opening = performance.now();
  const source = await openSource(worker, config, {
    ...measuring,
    scope,
    observe: () => {},
    events: {},
    approve: (rows: RowFacts) => requireResources(estimateResources(run, sites, rows), run, worker),
  });
  const opened = (options.startSeconds ?? 0) + (performance.now() - opening) / 1000;

  progress("the harvest");
  const harvest = await harvestOf(source, run, { peak, signal, sites });
  progress("the text");
  const most = batchesOf(run, source);
  const available =
    source instanceof ActivationBuffer
      ? await rowsOfText(source.languageModel, config, { enough: neededRows(most, config), signal })
      : null;
  progress("draws");
  const rows = new RepeatedRows(source);
  const draw = await measureDraw(rows, signal);
  const timings = new Map<string, DictionaryTiming>();
  const measured: MeasuredDictionary[] = [];
  for (const each of dictionaries) {
    progress(`steps of ${each.name}`);
    const widths = source.widths[siteIndex(config, sites, each)] ?? { input: 0, output: 0 };
    const kind = kindOf(each, widths);
    const timing = timings.get(kind) ?? (await measureDictionary(rows, each, measuring));
    timings.set(kind, timing);
    const flops = stepFlops(each, source.batchRows, widths);
    measured.push({ name: each.name, ...timing, share_of_peak: share(flops, timing.dense.seconds, peak) });
  }
  progress("the evaluation");
  const evaluation = await measureEvaluation(source, run, measuring);
  progress("done");
  return conclude(run, source, {
    most,
    available,
    device,
    peak,
    start: opened + (harvest?.first ?? 0),
    harvest,
    draw,
    dictionaries: measured,
    evaluation,
  });
};

/** The settings, apart from the batch, that decide the time of a dictionary's steps. */
const kindOf = ({ dictionary_size, train }: ResolvedDictionary, { input, output }: Widths): string => {
  const { adam_arithmetic, fired, sparsity, reconstruction_loss, log_steps } = train;
  return JSON.stringify([
    input,
    output,
    dictionary_size,
    adam_arithmetic,
    fired,
    sparsity,
    reconstruction_loss,
    log_steps,
  ]);
};

/** Counts the measurements; their total is known once the rows' widths are. */
const stages = ({ onProgress }: BenchOptions, dictionaries: number) => {
  let done = 0;
  return (stage: string): void => {
    onProgress?.({ stage, done, total: dictionaries + 6 });
    done += 1;
  };
};

const share = (flops: number, seconds: number, peak: Peak): number => flops / seconds / peak.flops_per_second;

const harvestOf = async (
  source: RunSource,
  { config }: ResolvedRun,
  { peak, sites, signal }: { readonly peak: Peak } & Pick<MeasureOptions, "sites" | "signal">,
): Promise<RunPrediction["measured"]["harvest"]> => {
  if (!(source instanceof ActivationBuffer)) return null;
  const { buffer } = config;
  const flops = await source.languageModel.flops(sites, buffer.ctx_len);
  const timing = await measureHarvest(source, config, signal);
  const perRow = (buffer.forward === "full" ? flops.full : flops.partial) / buffer.ctx_len;
  return { ...timing, share_of_peak: share(perRow, timing.row, peak) };
};

/** Batches that the run draws unless its text ends first; Infinity: it continues until then. */
const batchesOf = ({ dictionaries }: ResolvedRun, source: RunSource): number => {
  const longest = Math.max(...dictionaries.map(({ train }) => train.steps ?? Number.POSITIVE_INFINITY));
  return source instanceof CachedRows ? Math.min(longest, source.length) : longest;
};

/** Rows of text needed for this many batches, including those left in the buffer. */
const neededRows = (batches: number, { buffer }: RunConfig): number =>
  Number.isFinite(batches) ? rowsAppended(batches, bufferShape(buffer)) : Number.POSITIVE_INFINITY;

interface Found extends Omit<RunPrediction["measured"], "text"> {
  readonly most: number;
  readonly available: number | null;
  readonly device: string;
}

const conclude = (
  { config, dictionaries }: ResolvedRun,
  source: RunSource,
  { most, available, device, ...measured }: Found,
): RunPrediction => {
  const whole = Number.isFinite(most) || available !== null;
  const counts = countRun({
    batches: whole ? most : Math.ceil(TOKENS_WITHOUT_END / source.batchRows),
    available,
    shape: source instanceof ActivationBuffer ? bufferShape(config.buffer) : null,
    dictionaries: dictionaries.map(({ train }, index) => ({
      steps: train.steps,
      log_steps: train.log_steps,
      schedule: { ...train, resample_warmup_steps: train.resample_warmup_steps ?? train.warmup_steps },
      dense_until: measured.dictionaries[index]?.dense_until ?? null,
    })),
    evaluation:
      whole && config.evaluation !== null && measured.evaluation !== null
        ? { ...config.evaluation, ctx_len: config.buffer.ctx_len }
        : null,
  });
  const pieces = {
    start: whole ? measured.start : 0,
    harvest: measured.harvest,
    draw: measured.draw.seconds,
    dictionaries: measured.dictionaries.map((each) => ({
      dense: each.dense.seconds,
      sparse: each.sparse.seconds,
      metrics: each.metrics.seconds,
    })),
    evaluation:
      measured.evaluation === null
        ? null
        : { context: measured.evaluation.context, read: (measured.harvest?.row ?? 0) * config.buffer.ctx_len },
  };
  return {
    ...predictTime(pieces, counts),
    device,
    whole,
    steps: counts.batches,
    tokens: Math.min(counts.batches * source.batchRows, counts.buffer?.rows ?? Number.POSITIVE_INFINITY),
    counts,
    measured: { ...measured, text: available },
    left_out: [
      "checkpoints",
      ...(config.resume === "off" ? [] : ["resume states"]),
      ...(dictionaries.some(({ train }) => train.resample_steps !== null) ? ["resampling"] : []),
      ...(config.evaluation !== null && counts.evaluation === null ? ["the evaluation"] : []),
    ],
  };
};
