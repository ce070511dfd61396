import { describe, expect, it, vi } from "vitest";
import { repeat, timingOf } from "../../src/benchmark/timing.ts";
import { CancelledError } from "../../src/errors.ts";

describe("timingOf", () => {
  it("is the median, between the two in the middle where there are an even number", () => {
    expect(timingOf([3, 1, 2])).toEqual({ seconds: 2, fastest: 1, slowest: 3, repetitions: 3 });
    expect(timingOf([4, 1, 2, 10]).seconds).toBe(3);
  });
});

describe("repeat", () => {
  /** Measurements that return 100, 1, 2, 3 … and take no time. */
  const numbers = () => {
    let round = 0;
    return async () => (round++ === 0 ? 100 : round - 1);
  };

  it("does not count the first, and ends after the most there may be", async () => {
    const timing = await repeat(numbers(), { least: 1, most: 5, budget: 1000 });
    expect(timing).toEqual({ seconds: 3, fastest: 1, slowest: 5, repetitions: 5 });
  });

  it("ends with the least there must be once the time is up, and with one where that alone takes so long", async () => {
    expect((await repeat(numbers(), { least: 3, most: 50, budget: 0 })).repetitions).toBe(1);
    const quick = { least: 3, most: 50, budget: 0.05 };
    vi.useFakeTimers({ toFake: ["performance"] });
    try {
      const slow = async () => {
        vi.advanceTimersByTime(30);
        return 1;
      };
      expect((await repeat(slow, quick)).repetitions).toBe(3);
    } finally {
      vi.useRealTimers();
    }
  });

  it("stops when it is told to", async () => {
    const stop = new AbortController();
    const measure = async () => {
      stop.abort();
      return 1;
    };
    const patience = { least: 3, most: 5, budget: 1, signal: stop.signal };
    await expect(repeat(measure, patience)).rejects.toBeInstanceOf(CancelledError);
  });
});
