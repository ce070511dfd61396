import { describe, expect, it } from "vitest";
import { type CountsInput, countRun, denseSteps, type Pieces, predictTime } from "../../src/benchmark/prediction.ts";

const schedule = {
  lr: 0.01,
  steps: 100,
  warmup_steps: 10,
  warmup_start: "one",
  decay_start: null,
  sparsity_penalty: 1e-3,
  sparsity_warmup_steps: 0,
  resample_warmup_steps: 10,
} as const;

const shape = {
  capacity: 640,
  ctxLen: 32,
  inBatchSize: 8,
  outBatchSize: 64,
  refreshBelow: 0.5,
  append: "fit",
  batchAhead: true,
  remainingRows: "serve",
} as const;

const input = (over: Partial<CountsInput> = {}): CountsInput => ({
  batches: 10,
  shape,
  available: null,
  dictionaries: [{ steps: 10, log_steps: 4, schedule, dense_until: null }],
  evaluation: null,
  ...over,
});

describe("predictTime", () => {
  const pieces: Pieces = {
    start: 5,
    harvest: { row: 1e-4, shuffle: 0.5 },
    draw: 0.01,
    dictionaries: [
      { dense: 0.21, sparse: 0.06, metrics: 0.1 },
      { dense: 0.11, sparse: 0.11, metrics: 0.2 },
    ],
    evaluation: { context: 2, read: 0.2 },
  };
  const counts = {
    batches: 100,
    buffer: { batches: 100, rows: 20_000, refreshes: 3 },
    dictionaries: [
      { steps: 100, dense_steps: 20, logged: 10 },
      { steps: 50, dense_steps: 50, logged: 5 },
    ],
    evaluation: { measured: 4, read: 10 },
  };

  it("adds the pieces up as often as the run needs them", () => {
    const { seconds, parts, dominant } = predictTime(pieces, counts);
    const likely = Object.fromEntries(parts.map((part) => [part.name, part.seconds.likely]));
    expect(likely.start).toBe(5);
    // 20,000 rows and three shuffles.
    expect(likely.harvest).toBeCloseTo(2 + 1.5, 10);
    expect(likely.draws).toBeCloseTo(1, 10);
    // Without the draw, which counts once for both: 20 · 0.2 + 80 · 0.05, and 50 · 0.1.
    expect(likely.steps).toBeCloseTo(4 + 4 + 5, 10);
    expect(likely.metrics).toBeCloseTo(1 + 1, 10);
    // For each of two dictionaries 4 · 2 + 10 · 0.2.
    expect(likely.evaluation).toBeCloseTo(20, 10);
    expect(seconds.likely).toBeCloseTo(5 + 3.5 + 1 + 13 + 2 + 20, 10);
    expect(dominant).toBe("evaluation");
  });

  it("ranges from steps that are sparse from the start to steps that never are", () => {
    const { seconds, parts } = predictTime(pieces, counts);
    const steps = parts.find(({ name }) => name === "steps")?.seconds;
    expect(steps?.low).toBeCloseTo(100 * 0.05 + 50 * 0.1, 10);
    expect(steps?.high).toBeCloseTo(100 * 0.2 + 50 * 0.1, 10);
    expect(seconds.high - seconds.low).toBeCloseTo(15, 10);
  });

  it("leaves out what a run on cached rows does not do", () => {
    const cached = predictTime({ ...pieces, harvest: null, evaluation: null }, { ...counts, buffer: null });
    expect(cached.parts.map(({ name }) => name)).toEqual(["start", "draws", "steps", "metrics"]);
    expect(cached.seconds.likely).toBeCloseTo(5 + 1 + 13 + 2, 10);
  });
});

describe("countRun", () => {
  it("follows the buffer: 640 rows, and 384 once only 256 are unread", () => {
    const { batches, buffer, dictionaries } = countRun(input());
    expect(batches).toBe(10);
    expect(buffer).toEqual({ batches: 10, rows: 1024, refreshes: 2 });
    // Steps 0, 4 and 8 are logged.
    expect(dictionaries).toEqual([{ steps: 10, dense_steps: 10, logged: 3 }]);
  });

  it("ends with the text, whose last batch is a smaller one", () => {
    // 640 rows, six batches of 64; then 60 more than the 256 left.
    const { batches, buffer, dictionaries } = countRun(input({ batches: Number.POSITIVE_INFINITY, available: 700 }));
    expect(batches).toBe(11);
    expect(buffer).toEqual({ batches: 11, rows: 700, refreshes: 2 });
    expect(dictionaries[0]?.steps).toBe(10);
    const dropping = input({ batches: 100, available: 700, shape: { ...shape, remainingRows: "drop" } });
    expect(countRun(dropping).batches).toBe(6);
  });

  it("counts the contexts of an evaluation: those measured, and those that are only read", () => {
    const evaluation = { contexts: 16, alive_tokens: 8192, frequency_tokens: 16_384, ctx_len: 128 };
    expect(countRun(input({ evaluation })).evaluation).toEqual({ measured: 16, read: 112 });
    expect(countRun(input({ evaluation: { ...evaluation, contexts: 500 } })).evaluation?.read).toBe(0);
  });

  it("takes every batch of cached rows, and a dictionary's own number of steps", () => {
    const both = [5, null].map((steps) => ({ steps, log_steps: null, schedule, dense_until: null }));
    const { buffer, dictionaries } = countRun(input({ shape: null, dictionaries: both }));
    expect(buffer).toBeNull();
    expect(dictionaries.map(({ steps, logged }) => [steps, logged])).toEqual([
      [5, 0],
      [10, 0],
    ]);
  });
});

describe("denseSteps", () => {
  it("goes on until the rates add up, the warm-up's small ones included", () => {
    // The first ten steps add up to 0.001 + … + 0.01 = 0.055, every later one adds 0.01.
    expect(denseSteps(100, schedule, 0.0549)).toBe(10);
    expect(denseSteps(100, schedule, 0.0551)).toBe(11);
    expect(denseSteps(100, schedule, 0.0749)).toBe(12);
  });

  it("is all steps where the dictionary was not seen to get sparse, or will not be in time", () => {
    expect(denseSteps(100, schedule, null)).toBe(100);
    expect(denseSteps(8, schedule, 0.0549)).toBe(8);
  });
});
