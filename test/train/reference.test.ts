import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig, resolveRun } from "../../src/config/index.ts";
import type { DictlearnError } from "../../src/errors.ts";
import { type RunEvent, runTraining } from "../../src/train/index.ts";
import { Worker } from "../../src/worker/index.ts";
import { path, python, rejection } from "../support.ts";
import { bufferCases, cachedCases, type ReferenceCase, toConfig } from "./reference-cases.ts";

/** The log of the plain procedure of bench/reference at one step. */
interface PlainStep {
  readonly step: number;
  /** Rows × width of the targets. */
  readonly elements: number;
  readonly rmse_loss: number;
  readonly sparsity_loss: number;
  readonly resampled?: readonly number[];
}

interface Comparison {
  readonly worst: number;
  readonly same: boolean;
  readonly complete: boolean;
}

const ENVIRONMENT = { OMP_NUM_THREADS: "1", HF_HUB_OFFLINE: "1" };
const folder = mkdtempSync(join(tmpdir(), "dictlearn-reference-"));
const plain = async (script: string, ...args: string[]): Promise<string> => {
  const options = { env: { ...ENVIRONMENT, PYTHONSAFEPATH: "" } };
  return (await execa(await python(), [path(`bench/reference/${script}.py`), ...args], options)).stdout;
};

let worker: Worker;
beforeAll(async () => {
  worker = await Worker.start({ python: await python(), environment: ENVIRONMENT });
}, 120_000);
afterAll(async () => await worker.close());

/** Runs the cases with both programs; the plain one writes the rows that ours reads. */
const runBoth = async (kind: string, cases: readonly ReferenceCase[]) => {
  const home = join(folder, kind);
  mkdirSync(home);
  const list = join(home, "cases.json");
  writeFileSync(list, JSON.stringify(cases));
  await plain("run", list, home);
  const logs = new Map<string, PlainStep[]>();
  const events = new Map<string, RunEvent[]>();
  const pairs: string[] = [];
  for (const each of cases) {
    // Python writes NaN, which JSON lacks.
    const text = readFileSync(join(home, `${each.name}.json`), "utf8").replaceAll("NaN", "null");
    const log: PlainStep[] = JSON.parse(text);
    logs.set(each.name, log);
    const seen: RunEvent[] = [];
    events.set(each.name, seen);
    const output = join(home, each.name);
    const run = resolveRun(parseConfig(toConfig(each, home, output)));
    const training = runTraining(run, worker, { observe: (event) => seen.push(event) });
    if (log.length === 0 || log.some(({ rmse_loss }) => rmse_loss === null)) {
      // If the reference writes NaN, or trains nothing, ours gives an error and no weights.
      const error = await rejection(training);
      const codes = log.length === 0 ? ["no_tokens"] : ["all_dead", "non_finite_loss", "non_finite_weights"];
      expect(codes, each.name).toContain((error as DictlearnError).code);
      expect(existsSync(join(output, "ae.pt"))).toBe(false);
    } else {
      await training;
      pairs.push(each.name, output);
    }
  }
  const comparisons: Record<string, Comparison> = JSON.parse(await plain("compare", home, ...pairs));
  return { logs, events, comparisons };
};

/** The cases that both programs trained to the end, with their settings. */
const compared: { readonly kind: string; readonly dtype: string; readonly io: string; readonly powers: boolean }[] = [];
const isPowerOfTwo = (count: number): boolean => Number.isInteger(Math.log2(count));

/** Both losses at every step, the features resampled, and all bits of the weights and checkpoints. */
const expectSame = (
  { name, dtype, io, ...rest }: ReferenceCase,
  { logs, events, comparisons }: Awaited<ReturnType<typeof runBoth>>,
): number => {
  const comparison = comparisons[name];
  if (comparison === undefined) return 0;
  expect(comparison, name).toEqual({ worst: 0, same: true, complete: true });
  const log = logs.get(name) ?? [];
  const seen = events.get(name) ?? [];
  const metrics = seen.flatMap((event) => (event.type === "metrics" ? [event.metrics] : []));
  expect(metrics.map(({ step }) => step)).toEqual(log.map(({ step }) => step));
  for (const [index, { rmse_loss, sparsity_loss }] of log.entries()) {
    expect(metrics[index]?.rmse_loss).toBe(rmse_loss);
    expect(metrics[index]?.sparsity_loss).toBe(sparsity_loss);
  }
  const resampled = seen.flatMap((event) => (event.type === "resampled" ? [[event.step, event.features]] : []));
  expect(resampled).toEqual(log.filter((each) => each.resampled).map((each) => [each.step, each.resampled]));
  const kind = "rows" in rest ? "rows" : `text, a model in ${rest.model_dtype ?? dtype}`;
  compared.push({ kind, dtype, io, powers: log.every(({ elements }) => isPowerOfTwo(elements)) });
  return resampled.length;
};

describe("compat: ddac948 against a plain PyTorch loop, bit for bit", () => {
  it("over cached rows, with any hyperparameters", async () => {
    const both = await runBoth("cached", cachedCases);
    const resamplings = cachedCases.map((each) => expectSame(each, both));
    // The cases must cover runs with several resamplings, and some that end in NaN in the reference.
    expect(resamplings.filter((count) => count >= 2).length).toBeGreaterThan(5);
    expect(Object.keys(both.comparisons).length).toBeLessThan(cachedCases.length);
  }, 600_000);

  it("from tiny-neox through the buffer, with one random stream for everything", async () => {
    const both = await runBoth("buffer", bufferCases);
    const resamplings = bufferCases.map((each) => expectSame(each, both));
    expect(resamplings.filter((count) => count >= 2).length).toBeGreaterThan(2);
  }, 600_000);

  it("in sixty settings and more, half of them where rows × width is no power of two", () => {
    const count = (of: (each: (typeof compared)[number]) => boolean) => compared.filter(of).length;
    expect(compared.length).toBeGreaterThanOrEqual(60);
    expect(count(({ powers }) => !powers)).toBeGreaterThanOrEqual(compared.length / 2);
    expect(count(({ powers }) => powers)).toBeGreaterThanOrEqual(compared.length / 10);
    const kinds = ["rows", "text, a model in float32", "text, a model in float64"];
    for (const [kind, dtype] of kinds.flatMap((each) => [[each, "float32"] as const, [each, "float64"] as const])) {
      // The reference cannot train a float32 dictionary of a float64 model.
      if (kind.endsWith("float64") && dtype === "float32") continue;
      const least = kind === "rows" ? 20 : 4;
      expect(
        count((each) => each.kind === kind && each.dtype === dtype),
        `${kind}, ${dtype}`,
      ).toBeGreaterThanOrEqual(least);
    }
    for (const io of ["in", "out", "in_to_out"])
      expect(
        count((each) => each.io === io),
        io,
      ).toBeGreaterThan(10);
  });
});
