import { ensureEnvironment, setupProgress } from "../environment/index.ts";
import { CancelledError } from "../errors.ts";
import { Worker } from "../worker/index.ts";
import { createProgress, type DictionaryProgress } from "./dictionary-progress.ts";
import { Interrupt } from "./interrupt.ts";

export interface Workplace {
  readonly worker: Worker;
  /** Seconds that Python took to start. */
  readonly startSeconds: number;
  /** Fires at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Disposed of with the worker, or before something is printed. */
  readonly progress: DictionaryProgress;
}

/**
 * Starts a worker for one command, and closes it when the work is done. The first Ctrl-C prints `stopping` and cancels
 * the work; the result is then undefined. A second one ends the process.
 */
export const withWorker = async <T>(
  { python, stopping }: { readonly python: string | undefined; readonly stopping: string },
  work: (at: Workplace) => Promise<T>,
): Promise<T | undefined> => {
  let worker: Worker | undefined;
  using interrupt = new Interrupt({
    onFirst: () => process.stderr.write(`\n${stopping}\n`),
    onSecond: () => worker?.kill(),
  });
  const { signal } = interrupt;
  try {
    const environment = await ensureEnvironment({ python, signal, onProgress: setupProgress() });
    const begun = performance.now();
    worker = await Worker.start(environment);
    const startSeconds = (performance.now() - begun) / 1000;
    await using closing = worker;
    using progress = createProgress();
    return await work({ worker: closing, startSeconds, signal, progress });
  } catch (error) {
    if (signal.aborted && error instanceof CancelledError) return undefined;
    throw error;
  }
};
