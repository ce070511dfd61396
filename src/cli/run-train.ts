import { OutputFolder } from "../checkpoint/index.ts";
import type { ResolvedRun, RunConfig } from "../config/index.ts";
import { notices, requireAvailable } from "../config/index.ts";
import { ensureEnvironment, setupProgress } from "../environment/index.ts";
import { CancelledError } from "../errors.ts";
import { type RunResult, runTraining } from "../train/index.ts";
import { Worker } from "../worker/index.ts";
import { Interrupt } from "./interrupt.ts";
import { createView } from "./view.ts";

export interface RunTrainOptions {
  readonly overwrite: boolean;
  /** Resume the run in the output folder. */
  readonly resume?: boolean;
  readonly json: boolean;
  readonly python?: string | undefined;
}

/** Runs the training with a live view; returns the exit code. */
export const train = async (run: ResolvedRun, options: RunTrainOptions): Promise<number> => {
  requireAvailable(run);
  OutputFolder.check(run.config.output, options);
  const view = createView(run, options);
  let worker: Worker | undefined;
  using interrupt = new Interrupt({
    onFirst: () =>
      view.note(
        "Stopping: the steps in flight are finished and a checkpoint is saved. Press Ctrl-C again to stop at once.",
      ),
    onSecond: () => {
      view.stop();
      worker?.kill();
    },
  });
  try {
    for (const notice of notices(run)) view.observe({ type: "notice", message: notice });
    const environment = await ensureEnvironment({
      python: options.python,
      signal: interrupt.signal,
      onProgress: setupProgress(),
    });
    view.observe({ type: "stage", message: "Starting the Python worker" });
    const startWorker = async (): Promise<Worker> => {
      worker = await Worker.start({
        ...environment,
        environment: workerVariables(run.config),
        hangTimeout: run.config.worker_timeout * 1000,
      });
      return worker;
    };
    await using first = await startWorker();
    const { observe } = view;
    const { overwrite, resume = false } = options;
    const result = await runTraining(run, first, { observe, signal: interrupt.signal, overwrite, resume, startWorker });
    view.finish(result);
    return exitCode(result);
  } catch (error) {
    if (interrupt.signal.aborted && error instanceof CancelledError) {
      view.note(`Stopped before the first step; ${options.resume ? "the run is as it was" : "nothing was written"}.`);
      return 130;
    }
    throw error;
  } finally {
    view.stop();
  }
};

/** Variables that the worker's environment needs before CUDA starts. */
const workerVariables = ({ deterministic }: RunConfig): NodeJS.ProcessEnv =>
  // cuBLAS is deterministic only with a workspace of fixed size, and reads this once.
  deterministic ? { CUBLAS_WORKSPACE_CONFIG: process.env.CUBLAS_WORKSPACE_CONFIG ?? ":4096:8" } : {};

/** An interrupted run is not finished, and a script that waits for it must be able to tell. */
const exitCode = ({ reason }: RunResult): number => (reason === "interrupted" ? 130 : 0);
