import { type BenchOptions, benchMachine, predictRun } from "../benchmark/index.ts";
import { type ResolvedRun, requireAvailable } from "../config/index.ts";
import type { Worker } from "../worker/index.ts";
import { machineTable, predictionTable } from "./bench-table.ts";
import { withWorker } from "./with-worker.ts";

interface Options {
  readonly json: boolean;
  readonly python?: string | undefined;
}

/** Measures this machine and prints the results; returns the exit code. */
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
  // Seconds since Node started, without the time to recreate the environment.
  const nodeSeconds = performance.now() / 1000;
  const stopping = "Stopping. Nothing was written.";
  const done = await withWorker({ python, stopping }, async ({ worker, startSeconds, signal, progress }) => {
    const onProgress: BenchOptions["onProgress"] = (each) => progress.onProgress({ name, ...each });
    const { found, table } = await measurement(worker, {
      startSeconds: nodeSeconds + startSeconds,
      signal,
      onProgress,
    });
    progress[Symbol.dispose]();
    process.stdout.write(`${json ? JSON.stringify(found) : table()}\n`);
    return true;
  });
  return done === undefined ? 130 : 0;
};
