import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { parseConfig, resolveRun } from "../../src/config/index.ts";
import { JsonlSink, TrainingClock } from "../../src/metrics/index.ts";
import { type RunEvent, runTraining } from "../../src/train/index.ts";
import { cachedRun } from "../faults/runs.ts";
import { startWorker } from "../support.ts";

const folder = mkdtempSync(join(tmpdir(), "dictlearn-rates-"));
afterEach(() => {
  vi.restoreAllMocks();
});

interface Line {
  readonly step: number;
  readonly tokens_seen: number;
  readonly seconds: number;
  readonly steps_per_second: number;
  readonly tokens_per_second: number;
}

/** The logged steps of a metrics.jsonl. */
const linesOf = (path: string): Line[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter((line) => line.event === undefined);

describe("rates and seconds in metrics.jsonl", () => {
  it("count what was done since the state that was resumed, and all seconds of training", () => {
    let now = 5_000;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    const path = join(folder, "metrics.jsonl");
    const before = { step: 900, tokens: 57_600, seconds: 450 };
    using sink = new JsonlSink(path, "sae", new TrainingClock(before));
    now += 4_000;
    const metrics = { step: 999, tokens_seen: 64_000 };
    sink.observe({ type: "metrics", dictionary: "sae", metrics } as RunEvent);
    expect(linesOf(path)).toEqual([{ ...metrics, steps_per_second: 25, tokens_per_second: 1_600, seconds: 454 }]);
  });

  it("are those of the present worker, after a stop and after a worker that was killed", async () => {
    await using worker = await startWorker();
    const output = join(folder, "run");
    const run = resolveRun(parseConfig({ ...cachedRun, output, train: { ...cachedRun.train, log_steps: 1 } }));
    /** Where a worker started to train, and the file's lines at that time. */
    const begun: { readonly step: number; readonly lines: readonly Line[] }[] = [];
    const life = async (resume: boolean, react: (event: RunEvent, stop: AbortController) => void) => {
      const stop = new AbortController();
      await runTraining(run, worker, {
        resume,
        signal: stop.signal,
        startWorker,
        observe: (event) => {
          if (event.type === "resumed") begun.push({ step: event.step, lines: linesOf(join(output, "metrics.jsonl")) });
          react(event, stop);
        },
      });
    };
    await life(false, (event, stop) => {
      if (event.type === "metrics" && event.metrics.step >= 15) stop.abort();
    });
    let killed = false;
    await life(true, (event) => {
      if (killed || event.type !== "kept" || event.step < 30) return;
      killed = true;
      worker.kill();
    });
    expect(killed).toBe(true);
    expect(begun.map(({ step }) => step > 0)).toEqual([true, true]);

    const lines = linesOf(join(output, "metrics.jsonl"));
    const batch = (lines[0]?.tokens_seen ?? 0) / ((lines[0]?.step ?? 0) + 1);
    const starts = [0, ...begun.map(({ step }) => step)];
    const clocks = lines.map(({ step, seconds, steps_per_second, tokens_per_second }) => {
      const start = starts.findLast((each) => each <= step) ?? 0;
      expect(tokens_per_second / steps_per_second).toBeCloseTo(batch, 6);
      // The start of this worker's clock, by the seconds and by the rate.
      return { start, at: seconds - (step + 1 - start) / steps_per_second };
    });
    const last: number[] = [];
    for (const start of starts) {
      const own = clocks.filter((each) => each.start === start).map(({ at }) => at);
      expect(own.length).toBeGreaterThan(1);
      for (const at of own) expect(at).toBeCloseTo(own[0] ?? 0, 6);
      last.push(own[0] ?? 0);
    }
    expect(last[0]).toBeCloseTo(0, 6);
    // Each began with the seconds of the steps before it.
    expect(last).toEqual(last.toSorted((a, b) => a - b));
    expect(lines.map(({ seconds }) => seconds)).toEqual(lines.map(({ seconds }) => seconds).toSorted((a, b) => a - b));
  });
});
