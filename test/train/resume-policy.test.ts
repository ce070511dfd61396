import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { staleCheckpoints } from "../../src/checkpoint/rewind.ts";
import { nextRestart } from "../../src/train/restart.ts";
import { parseResumeEvery, saveIsDue, stepsUntilSave } from "../../src/train/resume-policy.ts";

describe("when a state is saved", () => {
  it("reads steps and times", () => {
    expect(parseResumeEvery(500)).toEqual({ steps: 500 });
    expect(parseResumeEvery("30s")).toEqual({ milliseconds: 30_000 });
    expect(parseResumeEvery("10m")).toEqual({ milliseconds: 600_000 });
    expect(parseResumeEvery("2h")).toEqual({ milliseconds: 7_200_000 });
  });

  it("never steps over a multiple of `steps`, and saves at each", () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.integer({ min: 1, max: 5000 }), (step, steps) => {
        const next = step + stepsUntilSave(step, { steps });
        expect(next).toBeGreaterThan(step);
        expect(next - step).toBeLessThanOrEqual(steps);
        expect(saveIsDue(next, 0, { steps })).toBe(true);
        for (let each = step + 1; each < Math.min(next, step + 50); each += 1) {
          expect(saveIsDue(each, 0, { steps })).toBe(false);
        }
      }),
    );
  });

  it("goes by the clock alone where a time is given", () => {
    const every = { milliseconds: 1000 };
    expect(stepsUntilSave(7, every)).toBe(Number.POSITIVE_INFINITY);
    expect(saveIsDue(7, 999, every)).toBe(false);
    expect(saveIsDue(7, 1000, every)).toBe(true);
  });
});

describe("when a lost worker is replaced", () => {
  it("waits longer each time, and gives up after the third restart", () => {
    let restarts = 0;
    const pauses: number[] = [];
    for (let next = nextRestart(restarts, 0); next !== undefined; next = nextRestart(restarts, 0)) {
      ({ restarts } = next);
      pauses.push(next.pause);
    }
    expect(pauses).toEqual([500, 1500, 4500]);
  });

  it("starts to count anew after a stable stretch, and only then", () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(300_000), (restarts, lived) => {
        const next = nextRestart(restarts, lived);
        if (lived >= 120_000) expect(next?.restarts).toBe(1);
        else expect(next?.restarts).toBe(restarts === 3 ? undefined : restarts + 1);
      }),
    );
  });
});

describe("which checkpoints an undisturbed run would not have", () => {
  it("those of later steps, those of no scheduled step, and what a killed write left", () => {
    const names = ["ae_0.pt", "ae_10.pt", "ae_13.pt", "ae_20.pt", "ae_30.pt", ".ae_20.pt.x1y2", "mine.txt"];
    const savesAt = (step: number) => step % 10 === 0;
    expect(staleCheckpoints(names, { step: 20, savesAt })).toEqual([
      "ae_13.pt",
      "ae_20.pt",
      "ae_30.pt",
      ".ae_20.pt.x1y2",
    ]);
    expect(staleCheckpoints(names, { step: 21, savesAt })).toEqual(["ae_13.pt", "ae_30.pt", ".ae_20.pt.x1y2"]);
  });
});
