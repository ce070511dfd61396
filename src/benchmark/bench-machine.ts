import type { HeldRows } from "../buffer/index.ts";
import { parseConfig, resolveRun } from "../config/index.ts";
import { resolveDevice } from "../nnsight/index.ts";
import { checkArguments, checkOptions, kinds, optionsOf } from "../options/index.ts";
import { Generators } from "../train/assemble.ts";
import { stepFlops } from "../train/flops.ts";
import { Scope, type Worker } from "../worker/index.ts";
import { measureDraw } from "./measure-draw.ts";
import { measureSteps } from "./measure-steps.ts";
import { measurePeak, type Peak, type Precision } from "./peak.ts";
import { RepeatedRows } from "./repeated-rows.ts";
import { clock, repeat, type Timing } from "./timing.ts";

/** The machine to measure, and the progress callback. */
export interface BenchOptions {
  /** `auto`, `cpu`, `cuda` or `cuda:N`. */
  readonly device?: string;
  /** Seconds that this program and the worker took to start, if known. */
  readonly startSeconds?: number;
  readonly signal?: AbortSignal;
  /** `done` of `total` measurements are finished; `stage` is the next one. */
  readonly onProgress?: (progress: { stage: string; done: number; total: number }) => void;
}

const OPTIONS = optionsOf<BenchOptions>({
  device: kinds.device(),
  startSeconds: kinds.atLeastZero(),
  signal: kinds.signal(),
  onProgress: kinds.callback(),
});
const WORKER = kinds.worker();

/** Throws a `ConfigError` for an invalid worker, and for missing or invalid options. */
export const checkBench = (caller: string, worker: Worker, options: BenchOptions): void => {
  checkArguments(caller, { worker: [worker, WORKER] });
  checkOptions(OPTIONS, options, caller);
};

/** Steps of one dictionary of a common size. */
export interface MeasuredStep {
  readonly precision: Precision;
  readonly width: number;
  readonly size: number;
  readonly batch: number;
  /** Active features per row; null: as in a fresh dictionary, about half of them. */
  readonly l0: number | null;
  readonly step: Timing;
  /** Share of the peak at this precision, by the products actually computed. */
  readonly share_of_peak: number;
}

/** A machine's performance. Times are seconds. */
export interface MachineBenchmark {
  readonly device: string;
  /** The name of the GPU, or `cpu`. */
  readonly kind: string;
  /** Threads for the worker's products on the CPU. */
  readonly threads: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly start: number | null;
  /** Round trip of one call to the worker that computes nothing. */
  readonly call: Timing;
  readonly peaks: readonly Peak[];
  /** One draw of `batch` of `rows` rows in the CPU's memory, and the bytes that it copies per second. */
  readonly draw: {
    readonly rows: number;
    readonly batch: number;
    readonly width: number;
    readonly time: Timing;
    readonly bytes_per_second: number;
  };
  readonly steps: readonly MeasuredStep[];
}

const WIDTH = 512;
const SIZE = 8192;
/** Rows of a step: on a GPU, as in the published runs. */
const BATCH = { cpu: 1024, cuda: 8192 };
const DRAW_BATCH = 8192;
/** Far larger than any cache: 1 GiB of rows, or a quarter of the free memory. */
const MOST_ROWS = 2 ** 19;
const BYTES_PER_ROW = WIDTH * 4;

/**
 * Measures a machine in less than a minute on two cores: matrix products, a call, a draw, and steps of a dictionary of
 * 8192 features on rows of 512 standard normal numbers.
 */
export const benchMachine = async (worker: Worker, options: BenchOptions = {}): Promise<MachineBenchmark> => {
  checkBench("benchMachine", worker, options);
  const { signal } = options;
  const device = resolveDevice(worker, options.device ?? "auto");
  const precisions: readonly Precision[] = device === "cpu" ? ["float32"] : ["float32", "tf32", "bfloat16"];
  let done = 0;
  const progress = (stage: string): void => {
    options.onProgress?.({ stage, done, total: 2 + 2 * precisions.length });
    done += 1;
  };

  const call = await repeat(async () => await clock(async () => await worker.call("release", { handles: [] })), {
    least: 200,
    most: 1000,
    budget: 0.5,
    signal,
  });
  const peaks: Peak[] = [];
  for (const precision of precisions) {
    progress(`products, ${precision}`);
    peaks.push(await measurePeak(worker, { device, precision }));
  }
  progress("a draw");
  await using scope = new Scope();
  const rows = await normalRows(worker, scope);
  const time = await measureDraw(new RepeatedRows(rows), signal);
  const { rows: held } = await worker.call("bench.rows", { source: rows.ref, rows: "all" });
  const draw = {
    rows: held,
    batch: DRAW_BATCH,
    width: WIDTH,
    time,
    bytes_per_second: (DRAW_BATCH * BYTES_PER_ROW) / time.seconds,
  };
  const steps: MeasuredStep[] = [];
  for (const peak of peaks) {
    progress(`steps, ${peak.precision}`);
    steps.push(...(await stepsAt(rows, { device, peak, signal })));
  }
  progress("done");
  const { devices, threads, versions } = worker.info;
  const kind = devices.find(({ name }) => name === device)?.kind ?? device;
  return { device, kind, threads, versions, start: options.startSeconds ?? null, call, peaks, draw, steps };
};

/** A full buffer in the CPU's memory, which `scope` owns. */
const normalRows = async (worker: Worker, scope: Scope): Promise<HeldRows> => {
  const free = worker.info.devices.find(({ name }) => name === "cpu")?.free_bytes ?? 0;
  const rows = Math.max(4 * DRAW_BATCH, Math.min(MOST_ROWS, Math.floor(free / 4 / BYTES_PER_ROW)));
  const { generator } = await worker.call("generator.create", { seed: 0 });
  scope.own(worker, generator, "random stream");
  const { source } = await worker.call("buffer.create", {
    sites: [{ submodule: "rows", io: "out" }],
    widths: [{ input_width: WIDTH, output_width: WIDTH }],
    rows,
    dtype: "float32",
    device: "cpu",
    generator,
    draws: "shuffled",
    keep_contexts: false,
  });
  scope.own(worker, source, "buffer");
  return { worker, ref: source, batchRows: DRAW_BATCH, widths: [{ input: WIDTH, output: WIDTH }] };
};

const stepsAt = async (
  held: HeldRows,
  { device, peak, signal }: { readonly device: string; readonly peak: Peak; readonly signal: AbortSignal | undefined },
): Promise<MeasuredStep[]> => {
  const { precision } = peak;
  const { worker } = held;
  const batch = BATCH[device === "cpu" ? "cpu" : "cuda"];
  const autocast = precision === "bfloat16" ? precision : null;
  // A config like a run's; the rows come from here and not from the file that it names.
  const run = resolveRun(
    parseConfig({
      activations: "rows",
      autocast,
      dictionaries: [{ dictionary_size: SIZE }],
      train: { log_steps: null },
    }),
  );
  const [dictionary] = run.dictionaries;
  if (dictionary === undefined) throw new Error("The config has a dictionary.");
  const { config } = run;
  await using generators = await Generators.create(worker, config);
  await worker.call("configure", { tf32: precision === "tf32", deterministic: false });
  const rows = new RepeatedRows({ ...held, batchRows: batch });
  const options = { config, sites: [], device, generators, signal };
  const { dense, sparse, l0 } = await measureSteps(rows, dictionary, options);
  const all = stepFlops(dictionary, batch, { input: WIDTH, output: WIDTH });
  const shape = { precision, width: WIDTH, size: SIZE, batch };
  const share = (flops: number, { seconds }: Timing) => flops / seconds / peak.flops_per_second;
  return [
    { ...shape, l0: null, step: dense, share_of_peak: share(all, dense) },
    { ...shape, l0, step: sparse, share_of_peak: share(device === "cpu" ? sparseFlops(batch, l0) : all, sparse) },
  ];
};

/** On a CPU only active pairs are computed after the encoder: once for decoding, and in each of three gradients. */
const sparseFlops = (batch: number, l0: number): number => 2 * batch * SIZE * WIDTH + 4 * 2 * batch * l0 * WIDTH;
