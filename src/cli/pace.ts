import prettyMilliseconds from "pretty-ms";

/**
 * The rate of a growing count, measured from the first value seen: an earlier process did the work before that.
 * Restarts when the count falls, as after a lost worker.
 */
export class Pace {
  #since: { readonly count: number; readonly time: number } | undefined;
  #last = 0;

  /** Forgets previous counts. */
  restart(): void {
    this.#since = undefined;
  }

  /** Records a count; returns the rate per second, undefined until it is known. */
  at(count: number): number | undefined {
    const time = performance.now() / 1000;
    if (count < this.#last) this.restart();
    this.#last = count;
    this.#since ??= { count, time };
    const { count: first, time: start } = this.#since;
    return count > first && time > start ? (count - first) / (time - start) : undefined;
  }
}

/** Time left at this rate, e.g. `1m 5s`. */
export const timeLeft = (count: number, rate: number | undefined): string =>
  rate === undefined
    ? "…"
    : prettyMilliseconds(Math.ceil(Math.max(count, 0) / rate) * 1000, { unitCount: 2, secondsDecimalDigits: 0 });
