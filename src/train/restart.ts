import { setTimeout as sleep } from "node:timers/promises";
import { DictlearnError } from "../errors.ts";
import { RemoteError, type Worker, WorkerDiedError, WorkerStartError } from "../worker/index.ts";
import type { Observer } from "./events.ts";

const MOST_RESTARTS = 3;
const FIRST_PAUSE_MS = 500;
const PAUSE_FACTOR = 3;
/** A worker that lived this long did not die of its predecessor's cause. */
const STABLE_MS = 120_000;

/**
 * Decides after a lost worker that had lived for `lived` milliseconds and was the last of `restarts` consecutive
 * restarts: returns the new count and the pause before the next restart, in milliseconds; undefined: give up.
 */
export const nextRestart = (restarts: number, lived: number): { restarts: number; pause: number } | undefined => {
  const inRow = lived >= STABLE_MS ? 0 : restarts;
  if (inRow >= MOST_RESTARTS) return undefined;
  return { restarts: inRow + 1, pause: FIRST_PAUSE_MS * PAUSE_FACTOR ** inRow };
};

export interface RestartOptions {
  /** Starts another worker; without it, a lost worker ends the run. */
  readonly start: (() => Promise<Worker>) | undefined;
  readonly observe: Observer;
  readonly signal?: AbortSignal | undefined;
}

/** Does `work` with a worker, and repeats it with a new one when that is lost: killed, hung, or its device broken. */
export const withRestarts = async <T>(
  first: Worker,
  work: (worker: Worker) => Promise<T>,
  { start, observe, signal }: RestartOptions,
): Promise<T> => {
  let restarts = 0;
  for (let worker: Worker | undefined = first; ; worker = undefined) {
    const since = performance.now();
    let pause: number;
    try {
      worker ??= await start?.();
      if (worker === undefined) throw new Error("There is no way to start a worker.");
      return await work(worker);
    } catch (error) {
      if (start === undefined || signal?.aborted || !isLoss(error, restarts > 0)) throw error;
      const next = nextRestart(restarts, performance.now() - since);
      if (next === undefined) throw gaveUp(error, restarts);
      ({ restarts, pause } = next);
      const when = `Another one is started in ${pause / 1000} s (${restarts} of ${MOST_RESTARTS})`;
      observe({ type: "notice", message: `${error.message} ${when}.` });
      await worker?.close();
    } finally {
      if (worker !== first) await worker?.close();
    }
    await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
};

/** Whether an error means that the worker is gone or unusable, rather than that the run cannot continue. */
export const isLoss = (error: unknown, restarted = false): error is DictlearnError =>
  error instanceof WorkerDiedError ||
  (restarted && error instanceof WorkerStartError) ||
  (error instanceof RemoteError && error.code === "device_failed");

const gaveUp = (error: DictlearnError, restarts: number): DictlearnError =>
  new DictlearnError(`${error.message} It was restarted ${restarts} times.`, {
    code: error.code,
    hint: error.hint,
    cause: error,
  });
