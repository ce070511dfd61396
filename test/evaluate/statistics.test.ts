import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aliveShare } from "../../src/evaluate/alive.ts";
import { Bootstrap } from "../../src/evaluate/bootstrap.ts";
import { frequencyHistogram } from "../../src/evaluate/frequencies.ts";
import { statisticsOf } from "../../src/evaluate/statistics.ts";
import { named, SUM_NAMES, sumsByContext } from "../../src/evaluate/sums.ts";

const sums = (over: Partial<ReturnType<typeof named>>) => ({ ...named([]), ...over });

describe("the statistics of sums", () => {
  it("are what their formulas say", () => {
    const found = statisticsOf(
      sums({
        rows: 10,
        squared_error: 40,
        squared_deviation: 160,
        l1: 30,
        l0: 55,
        directed_rows: 5,
        cosine: 4,
        relative_norm: 2.5,
        predictions: 4,
        original: 8,
        reconstructed: 10,
        zero: 28,
        mean: 18,
        positions: 8,
        divergence: 2,
      }),
      2,
    );
    expect(found).toEqual({
      mean_square_error: 2,
      root_mean_square_error: Math.SQRT2,
      l1: 3,
      l0: 5.5,
      fraction_variance_explained: 0.75,
      cosine_similarity: 0.8,
      relative_norm: 0.5,
      loss_original: 2,
      loss_reconstructed: 2.5,
      loss_zero_ablation: 7,
      loss_mean_ablation: 4.5,
      loss_recovered_zero: 0.9,
      loss_recovered_mean: 0.8,
      kl_divergence: 0.25,
    });
  });

  it("are undefined where an ablation costs nothing", () => {
    const found = statisticsOf(sums({ rows: 1, predictions: 1, original: 2, zero: 2, reconstructed: 3, mean: 4 }), 1);
    expect(found.loss_recovered_zero).toBeNaN();
    expect(found.loss_recovered_mean).toBe(0.5);
  });

  it("come from the columns of the worker in one fixed order", () => {
    const columns = <T extends string>(names: readonly T[]) =>
      Object.fromEntries(names.map((name) => [name, [SUM_NAMES.indexOf(name as never), 100]])) as never;
    const rows = columns(SUM_NAMES.slice(0, 8));
    const losses = columns(SUM_NAMES.slice(8));
    expect(sumsByContext(rows, losses)).toEqual([SUM_NAMES.map((_, index) => index), SUM_NAMES.map(() => 100)]);
    expect(sumsByContext(rows, null)[1]?.slice(8)).toEqual(SUM_NAMES.slice(8).map(() => 0));
  });
});

describe("the bootstrap over contexts", () => {
  /** A context's [tokens, sum]. */
  const contexts = Array.from({ length: 400 }, (_, index) => [1, Math.sin(index * 12.9898) * 3]);
  const mean = (each: ArrayLike<number>) => ({ mean: (each[1] ?? 0) / (each[0] ?? 1) });
  const filled = (seed: number, rows = contexts) => {
    const bootstrap = new Bootstrap(2, seed);
    for (const each of rows) bootstrap.add(each);
    return bootstrap;
  };

  it("gives a mean the interval that its standard error gives it", () => {
    const values = contexts.map(([, value]) => value ?? 0);
    const center = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - center) ** 2, 0) / values.length;
    const half = 1.96 * Math.sqrt(variance / values.length);
    const [low, high] = filled(0).intervals(mean).mean ?? [0, 0];
    expect((high - low) / (2 * half)).toBeGreaterThan(0.9);
    expect((high - low) / (2 * half)).toBeLessThan(1.1);
    expect(Math.abs((low + high) / 2 - center)).toBeLessThan(half / 5);
  });

  it("is the same for one seed, and another for another", () => {
    expect(filled(1).intervals(mean)).toEqual(filled(1).intervals(mean));
    expect(filled(2).intervals(mean)).not.toEqual(filled(1).intervals(mean));
  });

  it("adds up exactly, says nothing of one context, and leaves out what is no number", () => {
    expect([
      ...filled(0, [
        [1, 2],
        [3, 4],
      ]).totals,
    ]).toEqual([4, 6]);
    expect(filled(0, [[1, 2]]).intervals(mean)).toEqual({});
    expect(filled(0).intervals(() => ({ never: Number.NaN }))).toEqual({});
  });
});

describe("the share of alive features", () => {
  it("is those that fired, and certain when each fired in many contexts", () => {
    const found = aliveShare({ size: 4, contextsFired: [9, 8, 0, 7], contexts: 10 });
    expect(found).toEqual({ value: 0.75, interval: [0.75, 0.75] });
  });

  it("covers the share that other samples of the same size find", () => {
    // 2000 features with firing probabilities from 1e-4 to 1; samples of 64 contexts.
    const size = 2000;
    const probability = (feature: number) => 10 ** (-4 * (feature / size));
    let state = 12345;
    const random = () => {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      return state / 2 ** 31;
    };
    const sample = () =>
      aliveShare({
        size,
        contexts: 64,
        contextsFired: Array.from({ length: size }, (_, feature) => {
          let fired = 0;
          for (let context = 0; context < 64; context++) if (random() < probability(feature)) fired += 1;
          return fired;
        }),
      });
    const truth =
      Array.from({ length: size }, (_, feature) => 1 - (1 - probability(feature)) ** 64).reduce((a, b) => a + b) / size;
    const samples = Array.from({ length: 40 }, sample);
    const covered = samples.filter(({ interval }) => interval && interval[0] <= truth && truth <= interval[1]);
    expect(covered.length).toBeGreaterThanOrEqual(36);
    // But not too wide: at most a few times the samples' spread.
    const deviation = Math.sqrt(samples.reduce((sum, { value }) => sum + (value - truth) ** 2, 0) / samples.length);
    const [low, high] = samples[0]?.interval ?? [0, 1];
    expect(high - low).toBeLessThan(4 * 2 * 1.96 * deviation);
  });
});

describe("the frequency histogram", () => {
  it("has 100 bins from 1e-5 to 1, and says what it cannot show", () => {
    const { edges, counts, dead, always_on } = frequencyHistogram(100_000, [0, 0, 1, 10_000, 99_500, 100_000]);
    expect(edges).toHaveLength(101);
    expect([edges[0], edges[100]]).toEqual([1e-5, 1]);
    expect(counts[0]).toBe(1);
    expect(counts[80]).toBe(1);
    expect(counts[99]).toBe(2);
    expect([dead, always_on]).toEqual([2 / 6, 2 / 6]);
  });

  it("holds every feature that fires exactly once", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(16_384), { minLength: 1 }), (fired) => {
        const { counts, edges } = frequencyHistogram(16_384, fired);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(fired.filter((count) => count > 0).length);
        for (const count of fired.filter((each) => each > 0)) {
          const bin = edges.findLastIndex((edge) => edge <= (count / 16_384) * (1 + 1e-12));
          expect(counts[Math.min(99, bin)]).toBeGreaterThan(0);
        }
      }),
    );
  });
});
