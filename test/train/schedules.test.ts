import { describe, expect, it } from "vitest";
import { deriveSeed } from "../../src/seeds.ts";
import { stepsPerMessage, stepsThrough } from "../../src/train/plan.ts";
import { deadSince, type ResamplingSettings, resamplingAt } from "../../src/train/resampling.ts";
import { learningRate, type ScheduleSettings, sparsityPenalty } from "../../src/train/schedules.ts";

const schedule = (over: Partial<ScheduleSettings> = {}): ScheduleSettings => ({
  lr: 1,
  steps: 100,
  warmup_steps: 10,
  warmup_start: "one",
  decay_start: null,
  sparsity_penalty: 2,
  sparsity_warmup_steps: 0,
  resample_warmup_steps: 4,
  ...over,
});

describe("the learning rate", () => {
  it.each([
    ["moves at step 0", schedule(), 0, undefined, 0.1],
    ["is whole at the last step of the warm-up", schedule(), 9, undefined, 1],
    ["is 0 at step 0 in the reference", schedule({ warmup_start: "zero" }), 0, undefined, 0],
    ["is whole one step later in the reference", schedule({ warmup_start: "zero" }), 10, undefined, 1],
    ["is whole without a warm-up", schedule({ warmup_steps: 0 }), 0, undefined, 1],
    ["grows again after a resampling", schedule(), 51, 50, 0.25],
    ["is whole again after it", schedule(), 54, 50, 1],
    ["does not fall before the decay", schedule({ decay_start: 80 }), 80, undefined, 1],
    ["decays towards the end", schedule({ decay_start: 80 }), 90, undefined, 0.5],
  ] as const)("%s", (_, settings, step, resampledAt, expected) => {
    expect(learningRate(step, settings, resampledAt)).toBeCloseTo(expected, 12);
  });
});

describe("the sparsity penalty", () => {
  it("rises over its warm-up and stays", () => {
    const settings = schedule({ sparsity_warmup_steps: 4 });
    expect([0, 1, 3, 50].map((step) => sparsityPenalty(step, settings))).toEqual([0.5, 1, 2, 2]);
  });
});

const resampling = (over: Partial<ResamplingSettings> = {}): ResamplingSettings => ({
  steps: 100,
  resample_steps: 20,
  resample_window: "count-first-step",
  resample_last_step: false,
  ...over,
});

describe("resampling", () => {
  it("comes at the end of every window, but not when the new features could not be trained", () => {
    const steps = Array.from({ length: 100 }, (_, step) => step);
    expect(steps.filter((step) => resamplingAt(step, resampling()) === "due")).toEqual([19, 39, 59, 79]);
    expect(steps.filter((step) => resamplingAt(step, resampling()) === "too-late")).toEqual([99]);
    const reference = resampling({ resample_last_step: true });
    expect(steps.filter((step) => resamplingAt(step, reference) === "due")).toEqual([19, 39, 59, 79, 99]);
  });

  it("never comes when it is switched off", () => {
    expect(resamplingAt(19, resampling({ resample_steps: null }))).toBe("no");
  });

  it("looks at the second half of the window, whose first step the reference forgets", () => {
    expect(deadSince(19, resampling())).toBe(10);
    expect(deadSince(19, resampling({ resample_window: "drop-first-step" }))).toBe(11);
  });
});

describe("the plan of messages", () => {
  it("stops at the next step with the given remainder", () => {
    expect(stepsThrough(0, 10)).toBe(1);
    expect(stepsThrough(1, 10)).toBe(10);
    expect(stepsThrough(0, 20, 19)).toBe(20);
    expect(stepsThrough(19, 20, 19)).toBe(1);
    expect(stepsThrough(5, null)).toBe(Number.POSITIVE_INFINITY);
  });

  it("sends many small steps at once and large ones alone", () => {
    const small = { inputWidth: 16, outputWidth: 16, size: 64 };
    const large = { inputWidth: 512, outputWidth: 512, size: 8192 };
    expect(stepsPerMessage(32, [{ shape: small, device: "cpu" }])).toBe(64);
    expect(stepsPerMessage(1024, [{ shape: large, device: "cpu" }])).toBe(1);
    expect(stepsPerMessage(8192, [{ shape: large, device: "cuda:0" }])).toBe(6);
  });
});

describe("seeds", () => {
  it("differ between purposes and are the same every time", () => {
    expect(deriveSeed(0, "buffer")).toBe(deriveSeed(0, "buffer"));
    expect(deriveSeed(0, "buffer")).not.toBe(deriveSeed(0, "dictionary"));
    expect(deriveSeed(1, "buffer")).not.toBe(deriveSeed(0, "buffer"));
    expect(Number.isSafeInteger(deriveSeed(7, "text"))).toBe(true);
  });
});
