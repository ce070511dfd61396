import { CancelledError } from "../errors.ts";

/** Seconds of one operation, measured several times. */
export interface Timing {
  /** The median. */
  readonly seconds: number;
  readonly fastest: number;
  readonly slowest: number;
  readonly repetitions: number;
}

/** How long to continue measuring. */
export interface Patience {
  /** Minimum repetitions; one is enough if it takes longer than `budget`. */
  readonly least: number;
  readonly most: number;
  /** Seconds after which `least` repetitions are enough. */
  readonly budget: number;
  readonly signal?: AbortSignal | undefined;
}

/** Seconds that `work` takes. */
export const clock = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

/**
 * Measures once to warm up, then repeatedly. `measure` returns the seconds of its work, or of a part of it. Throws
 * `CancelledError` when the signal fires.
 */
export const repeat = async (measure: () => Promise<number>, patience: Patience): Promise<Timing> => {
  const { least, most, budget, signal } = patience;
  const found: number[] = [];
  let spent = 0;
  for (let round = 0; found.length < most; round += 1) {
    if (signal?.aborted) throw new CancelledError();
    const start = performance.now();
    const seconds = await measure();
    const took = (performance.now() - start) / 1000;
    if (round === 0) continue;
    found.push(seconds);
    spent += took;
    if (spent >= budget && (found.length >= least || took >= budget)) break;
  }
  return timingOf(found);
};

/** The median of some seconds, and the range of the others. */
export const timingOf = (seconds: readonly number[]): Timing => {
  const sorted = [...seconds].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return {
    seconds: (low + high) / 2,
    fastest: sorted[0] ?? Number.NaN,
    slowest: sorted.at(-1) ?? Number.NaN,
    repetitions: sorted.length,
  };
};
