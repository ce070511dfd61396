import { type BenchOptions, benchMachine, predictRun } from "../benchmark/index.ts";
import { type ResolvedRun, requireAvailable } from "../config/index.ts";
import { ensureEnvironment, setupProgress } from "../environment/index.ts";
import { CancelledError } from "../errors.ts";
import { Worker } from "../worker/index.ts";
import { machineTable, predictionTable } from "./bench-table.ts";
import { createProgress } from "./dictionary-progress.ts";
import { Interrupt } from "./interrupt.ts";

interface Options {
  readonly json: boolean;
  readonly python?: string | undefined;
}

/** Measures this machine and prints what was found; returns the exit code. */
export const benchThisMachine = async ({
  device,
  ...options
}: Options & { readonly device?: string | undefined }): Promise<number> =>
  await measure("this machine", options, async (worker, how) => {
    const found = await benchMachine(worker, device === undefined ? how : { ...how, device });
    return { found, table: () => machineTable(found) };
  });

/** Predicts the time of a run and prints it; returns the exit code. */
export const predict = async (name: string, run: ResolvedRun, options: Options): Promise<number> => {
  requireAvailable(run);
  return await measure(name, options, async (worker, how) => {
    const found = await predictRun(run, worker, how);
    return { found, table: () => predictionTable(name, found) };
  });
};

type Measurement = (
  worker: Worker,
  options: BenchOptions,
) => Promise<{ readonly found: object; readonly table: () => string }>;

const measure = async (name: string, { json, python }: Options, measurement: Measurement): Promise<number> => {
  // Since Node began; what makes the environment anew is not counted.
  const nodeSeconds = performance.now() / 1000;
  let worker: Worker | undefined;
  using interrupt = new Interrupt({
    onFirst: () => process.stderr.write("\nStopping. Nothing was written.\n"),
    onSecond: () => worker?.kill(),
  });
  const { signal } = interrupt;
  try {
    const environment = await ensureEnvironment({ python, signal, onProgress: setupProgress() });
    const begun = performance.now();
    worker = await Worker.start(environment);
    const startSeconds = nodeSeconds + (performance.now() - begun) / 1000;
    await using closing = worker;
    using progress = createProgress();
    const onProgress: BenchOptions["onProgress"] = (each) => progress.onProgress({ name, ...each });
    const { found, table } = await measurement(closing, { startSeconds, signal, onProgress });
    progress[Symbol.dispose]();
    process.stdout.write(`${json ? JSON.stringify(found) : table()}\n`);
    return 0;
  } catch (error) {
    if (signal.aborted && error instanceof CancelledError) return 130;
    throw error;
  }
};
