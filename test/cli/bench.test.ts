import { existsSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { MachineBenchmark, RunPrediction } from "../../src/benchmark/index.ts";
import { machineTable, predictionTable } from "../../src/cli/bench-table.ts";
import { dictlearn, tinyRun, writeConfig } from "./support.ts";

const bench = async <T>(args: readonly string[]): Promise<T> => {
  const { stdout, stderr, exitCode } = await dictlearn(["bench", ...args, "--json"]);
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout) as T;
};

/** A duration in the tables' format, from microseconds to hours. */
const TIME = String.raw`(?:[\d.]+ (?:s|ms|µs)|\d+[dhm](?: \d+[hms])?)`;

const line = (pattern: string): RegExp => new RegExp(`^${pattern}$`, "m");

/** Times and rates are above 0, and in this order; their size depends on the machine. */
const ascending = (...values: number[]) => {
  expect(values).toEqual([...values].sort((a, b) => a - b));
  expect(values[0]).toBeGreaterThan(0);
};

describe("dictlearn bench CONFIG", () => {
  const dictionaries = [
    { name: "mlp", submodule: "gpt_neox.layers.1.mlp", dictionary_size: 64 },
    { name: "stretcher", submodule: "gpt_neox.layers.1.mlp", io: "in_to_out", dictionary_size: 48, steps: 10 },
    // The same number of features on rows of the same width: measured once for both.
    { name: "residual", submodule: "gpt_neox.layers.0", dictionary_size: 64 },
  ];
  let output: string;
  let found: RunPrediction;
  beforeAll(async () => {
    const config = writeConfig({ ...tinyRun, dictionaries, evaluation: { contexts: 8 } });
    output = config.output;
    found = await bench<RunPrediction>([config.file, "--train.steps", "null", "--train.log_steps", "5"]);
  });

  it("finds out how long the text is, and so how long the run", () => {
    expect(found.whole).toBe(true);
    expect(found.measured.text).toBeGreaterThan(5000);
    expect(found.counts.buffer?.rows).toBe(found.measured.text);
    expect(found.tokens).toBe(found.measured.text);
    expect(found.steps).toBe(Math.ceil(found.tokens / tinyRun.buffer.out_batch_size));
    expect(found.counts.dictionaries.map(({ steps }) => steps)).toEqual([found.steps, 10, found.steps]);
    expect(found.counts.dictionaries[1]?.logged).toBe(2);
  });

  it("measures every kind of dictionary once, and adds the parts up", () => {
    const { peak, harvest, draw, dictionaries: measured, evaluation, start } = found.measured;
    expect(measured.map(({ name }) => name)).toEqual(dictionaries.map(({ name }) => name));
    expect(measured[2]?.dense).toEqual(measured[0]?.dense);
    expect(measured[1]?.dense).not.toEqual(measured[0]?.dense);
    for (const { dense, sparse, l0, share_of_peak } of measured) {
      ascending(dense.fastest, dense.seconds, dense.slowest);
      ascending(sparse.fastest, sparse.seconds, sparse.slowest);
      expect(l0).toBeLessThanOrEqual(3);
      ascending(share_of_peak, 1);
    }
    expect(peak).toMatchObject({ precision: "float32", size: 2048 });
    expect(peak.flops_per_second).toBeCloseTo((2 * 2048 ** 3) / peak.product.fastest, 0);
    ascending(draw.fastest, draw.seconds, draw.slowest);
    ascending(harvest?.share_of_peak ?? 0, 1);
    expect(evaluation?.contexts).toBe(8);
    const names = found.parts.map(({ name }) => name);
    expect(names).toEqual(["start", "harvest", "draws", "steps", "metrics", "evaluation"]);
    ascending(found.seconds.low, found.seconds.likely, found.seconds.high);
    expect(found.seconds.likely).toBeCloseTo(
      found.parts.reduce((sum, { seconds }) => sum + seconds.likely, 0),
      9,
    );
    // Includes Node's own start.
    expect(start).toBeGreaterThan(0.2);
    expect(found.parts[0]?.seconds.likely).toBe(start);
    expect(found.left_out).toEqual(["checkpoints", "resampling"]);
  });

  it("writes nothing", () => {
    expect(existsSync(output)).toBe(false);
  });

  it("prints it as a table", () => {
    const table = predictionTable("tiny.yaml", found);
    expect(table).toMatch(/^tiny\.yaml on cpu: [\d,]+ steps, [\d,]+ tokens\n\n +likely +from, to +share\n/);
    expect(table).toMatch(line(`harvest +${TIME} +[\\d.]+ % +[\\d,]+ tokens, [\\d,]+ a second: [\\d.]+ % of the peak`));
    expect(table).toMatch(line(` +stretcher: 10 × ${TIME} dense, [\\d.]+ % of the peak`));
    expect(table).toMatch(line(`total +${TIME}.*`));
    expect(table).toMatch(/\nMost of it goes into .+\.\nThe text ends after [\d,]+ tokens\.\n/);
    expect(table).toContain("Not included: checkpoints, resampling.");
  });

  it.each([
    ["a config that is not there", ["nowhere.yaml"], "There is no config file nowhere.yaml."],
    ["a key without a config", ["--train.lr", "1e-3"], "--train.lr is a key of a config, but no config is given."],
    ["a key that is none", ["FILE", "--train.step", "3"], "train.step"],
  ])("says what is wrong with %s", async (_, args, message) => {
    const { file } = writeConfig(tinyRun);
    const given = args.map((each) => (each === "FILE" ? file : each));
    const { exitCode, stderr, stdout } = await dictlearn(["bench", ...given]);
    expect(stderr).toContain(message);
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
    expect(stdout).toBe("");
    expect(exitCode).toBe(2);
  });
});

describe("dictlearn bench", () => {
  it("measures the machine: products, a call, a draw, and steps that are faster where few features are active", async () => {
    const found = await bench<MachineBenchmark>(["--device", "cpu"]);
    expect(found).toMatchObject({ device: "cpu", kind: "cpu", threads: 1 });
    expect(found.versions.torch).toMatch(/^\d+\.\d+/);
    expect(found.start).toBeGreaterThan(0.2);
    ascending(found.call.fastest, found.call.seconds, found.call.slowest);
    expect(found.call.seconds).toBeLessThan(0.1);
    expect(found.peaks.map(({ precision }) => precision)).toEqual(["float32"]);
    const { draw } = found;
    expect(draw.bytes_per_second).toBeCloseTo((draw.batch * 512 * 4) / draw.time.seconds, 0);
    const [dense, sparse] = found.steps;
    expect(dense).toMatchObject({ precision: "float32", width: 512, size: 8192, batch: 1024, l0: null });
    expect(sparse?.l0).toBeGreaterThan(80);
    expect(sparse?.l0).toBeLessThan(110);
    for (const { step } of found.steps) ascending(step.fastest, step.seconds, step.slowest);
    expect(sparse?.step.seconds).toBeLessThan(dense?.step.seconds ?? 0);
    const table = machineTable(found);
    expect(table).toMatch(/^cpu, 1 threads, torch /);
    expect(table).toMatch(line(`product of 2048 × 2048, float32 +${TIME} +${TIME}, ${TIME} +[\\d.]+ GFLOP/s`));
    expect(table).toMatch(/\nstep, L0 \d+(\.\d)?, float32 .+ tokens\/s +\d+ %\n/);
  });
});
