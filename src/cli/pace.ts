import prettyMilliseconds from "pretty-ms";

/**
 * How fast a count grows, from the first one that was seen. What was there by then, an earlier process did; where the count
 * falls back, as it does when a worker was lost, it starts again.
 */
export class Pace {
  #since: { readonly count: number; readonly time: number } | undefined;
  #last = 0;

  /** Forgets what was seen. */
  restart(): void {
    this.#since = undefined;
  }

  /** Takes notice of a count; per second, and undefined until that is known. */
  at(count: number): number | undefined {
    const time = performance.now() / 1000;
    if (count < this.#last) this.restart();
    this.#last = count;
    this.#since ??= { count, time };
    const { count: first, time: start } = this.#since;
    return count > first && time > start ? (count - first) / (time - start) : undefined;
  }
}

/** What is left at this rate, e.g. `1m 5s`. */
export const timeLeft = (count: number, rate: number | undefined): string =>
  rate === undefined
    ? "…"
    : prettyMilliseconds(Math.ceil(Math.max(count, 0) / rate) * 1000, { unitCount: 2, secondsDecimalDigits: 0 });
