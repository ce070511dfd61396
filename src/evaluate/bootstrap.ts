import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Number of resamplings that an interval is computed from. */
const REPLICATES = 1000;
const LEVEL = 0.95;

/** The lowest and the highest value of a 95% confidence interval. */
export type Interval = readonly [low: number, high: number];

/**
 * The Poisson bootstrap over contexts, in one pass and with memory independent of their number: each resampling takes a
 * context k times, k ~ Poisson(1), which in the limit equals drawing as many contexts with replacement. Tokens of one
 * context resemble each other, so contexts are drawn and not tokens. Source: Hanley & MacGibbon 2006, "Creating
 * non-parametric bootstrap samples using Poisson frequencies".
 */
export class Bootstrap {
  readonly #width: number;
  readonly #replicates: Float64Array;
  readonly #totals: Float64Array;
  readonly #random: ReturnType<typeof xoroshiro128plus>;
  #contexts = 0;

  /** For vectors of `width` sums; deterministic for a given seed. */
  constructor(width: number, seed: number) {
    this.#width = width;
    this.#replicates = new Float64Array(REPLICATES * width);
    this.#totals = new Float64Array(width);
    this.#random = xoroshiro128plus(seed);
  }

  /** Contexts so far. */
  get contexts(): number {
    return this.#contexts;
  }

  /** The sums over all contexts. */
  get totals(): Float64Array {
    return this.#totals.slice();
  }

  /** Adds the sums of one context. */
  add(sums: ArrayLike<number>): void {
    this.#contexts += 1;
    for (let index = 0; index < this.#width; index++)
      this.#totals[index] = (this.#totals[index] ?? 0) + (sums[index] ?? 0);
    for (let start = 0; start < this.#replicates.length; start += this.#width) {
      const times = poisson(uniformFloat64(this.#random));
      if (times === 0) continue;
      for (let index = 0; index < this.#width; index++) {
        const at = start + index;
        this.#replicates[at] = (this.#replicates[at] ?? 0) + times * (sums[index] ?? 0);
      }
    }
  }

  /**
   * The interval of every statistic that `compute` derives from the sums: between the 2.5th and the 97.5th percentile
   * of its values over the resamplings. null for fewer than two contexts, and where a statistic is not a number.
   */
  intervals<Name extends string>(
    compute: (sums: Float64Array) => Readonly<Record<Name, number>>,
  ): Partial<Record<Name, Interval>> {
    if (this.#contexts < 2) return {};
    const values = new Map<Name, number[]>();
    for (let start = 0; start < this.#replicates.length; start += this.#width) {
      const statistics = compute(this.#replicates.subarray(start, start + this.#width));
      for (const [name, value] of Object.entries(statistics) as [Name, number][]) {
        if (!Number.isFinite(value)) continue;
        const list = values.get(name);
        if (list === undefined) values.set(name, [value]);
        else list.push(value);
      }
    }
    const found: Partial<Record<Name, Interval>> = {};
    for (const [name, list] of values) {
      list.sort((a, b) => a - b);
      found[name] = [quantile(list, (1 - LEVEL) / 2), quantile(list, (1 + LEVEL) / 2)];
    }
    return found;
  }
}

/** A Poisson(1) number by inversion of a uniform number. */
const poisson = (uniform: number): number => {
  let count = 0;
  let probability = Math.exp(-1);
  for (let below = probability; uniform >= below && count < 20; below += probability) {
    count += 1;
    probability /= count;
  }
  return count;
};

/** Linear interpolation between the sorted values. */
const quantile = (sorted: readonly number[], share: number): number => {
  const position = share * (sorted.length - 1);
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
};
