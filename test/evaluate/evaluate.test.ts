import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  AutoEncoder,
  type Evaluation,
  evaluate,
  featureFrequencies,
  LanguageModel,
  topContexts,
  type Worker,
} from "../../src/index.ts";
import { GOLDEN, TINY, temporaryFolder } from "../cli/support.ts";
import { rejection, startWorker } from "../support.ts";
import { makeDictionaries } from "./support.ts";

const TEXTS = { path: join(GOLDEN, "texts.jsonl") };
const MLP = "gpt_neox.layers[1].mlp";
const buffer = { ctx_len: 32 };

const value = ({ statistics }: Evaluation, name: keyof Evaluation["statistics"]): number =>
  statistics[name]?.value ?? Number.NaN;

const DICTIONARIES = {
  identity: ["identity", 32, 0],
  narrow: ["identity", 16, 0],
  perfect: ["identity", 8, 0],
  mean: ["constant", 8, 3],
  zeros: ["constant", 32, 0],
  random: ["random", 32, 0],
} as const;

let paths: Record<keyof typeof DICTIONARIES, string>;
let worker: Worker;
let model: LanguageModel;
beforeAll(async () => {
  paths = await makeDictionaries(DICTIONARIES);
  worker = await startWorker();
  model = await LanguageModel.load(TINY, { worker, device: "cpu" });
});
afterAll(async () => await worker.close());

const load = async (name: keyof typeof DICTIONARIES) => await AutoEncoder.load(paths[name], { worker });

describe("evaluate", () => {
  it.each([
    [MLP, "out"],
    [MLP, "in"],
    ["gpt_neox.layers.0", "out"],
    ["gpt_neox.layers.0.attention", "out"],
  ] as const)("an identity at %s (%s) loses nothing", async (submodule, io) => {
    await using dictionary = await load("identity");
    const found = await evaluate(dictionary, { model, submodule, io, data: TEXTS, buffer, contexts: 12 });
    expect(value(found, "mean_square_error")).toBe(0);
    expect(value(found, "fraction_variance_explained")).toBe(1);
    expect(value(found, "cosine_similarity")).toBeCloseTo(1, 6);
    expect(value(found, "relative_norm")).toBeCloseTo(1, 6);
    expect(value(found, "loss_recovered_zero")).toBe(1);
    expect(value(found, "loss_recovered_mean")).toBe(1);
    expect(value(found, "kl_divergence")).toBe(0);
    expect(value(found, "loss_zero_ablation")).not.toBe(value(found, "loss_original"));
    expect(found.statistics.l0).toMatchObject({ value: 32, tokens: 12 * 32, interval: [32, 32] });
    expect(found.statistics.loss_original?.tokens).toBe(12 * 31);
  });

  it("a dictionary that says the mean explains nothing", async () => {
    // Rows whose mean is 3 in every coordinate, from a file.
    const rows = Float32Array.from({ length: 64 * 8 }, (_, index) => 3 + (Math.floor(index / 8) % 2 === 0 ? 1 : -1));
    const activations = join(temporaryFolder(), "rows.safetensors");
    writeSafetensors(activations, { rows, shape: [64, 8] });
    await using mean = await load("mean");
    const found = await evaluate(mean, { activations });
    expect(value(found, "fraction_variance_explained")).toBe(0);
    expect(value(found, "mean_square_error")).toBe(1);
    expect(value(found, "alive")).toBe(0);
    expect(found.frequencies.dead).toBe(1);
    expect(found.statistics.loss_original).toBeUndefined();
    await using perfect = await load("perfect");
    expect(value(await evaluate(perfect, { activations }), "fraction_variance_explained")).toBe(1);
  });

  it("a dictionary of zeros costs what zero ablation costs", async () => {
    await using zeros = await load("zeros");
    const found = await evaluate(zeros, { model, submodule: MLP, data: TEXTS, buffer, contexts: 12 });
    expect(value(found, "loss_recovered_zero")).toBeCloseTo(0, 10);
    expect(value(found, "loss_reconstructed")).toBe(value(found, "loss_zero_ablation"));
    expect(value(found, "l0")).toBe(0);
  });

  it("is the same each time and for every batch size, and memory does not grow with the text", async () => {
    await using dictionary = await load("random");
    // Enough documents for 800 contexts of 32 tokens.
    const documents = Array.from({ length: 8 }, () => texts()).flat();
    const options = { model, submodule: MLP, data: documents, buffer, aliveTokens: 256, frequencyTokens: 256 };
    const few = await evaluate(dictionary, { ...options, contexts: 8 });
    const before = (await worker.call("status", {})).peak_resident_bytes;
    const many = await evaluate(dictionary, { ...options, contexts: 800 });
    const after = (await worker.call("status", {})).peak_resident_bytes;
    expect(many.contexts).toBe(800);
    expect(few.contexts).toBe(8);
    expect(after / before).toBeLessThan(1.1);
    const [again, bigger] = [
      await evaluate(dictionary, { ...options, contexts: 40 }),
      await evaluate(dictionary, { ...options, contexts: 40, batchSize: 40 }),
    ];
    const repeated = await evaluate(dictionary, { ...options, contexts: 40 });
    expect(repeated).toEqual(again);
    for (const [name, { value: expected, tokens }] of Object.entries(again.statistics)) {
      expect(bigger.statistics[name as keyof Evaluation["statistics"]]?.tokens).toBe(tokens);
      expect(value(bigger, name as keyof Evaluation["statistics"])).toBeCloseTo(expected, 4);
    }
  });

  it("gives intervals that hold the value, and counts what the text has", async () => {
    await using dictionary = await load("random");
    const found = await evaluate(dictionary, {
      model,
      submodule: MLP,
      data: texts().slice(0, 60),
      buffer,
      contexts: 500,
    });
    expect(found.contexts).toBeLessThan(500);
    for (const [name, { value: point, interval }] of Object.entries(found.statistics)) {
      const [low, high] = interval ?? [Number.NaN, Number.NaN];
      expect(low, name).toBeLessThanOrEqual(point);
      expect(high, name).toBeGreaterThanOrEqual(point);
    }
    expect(found.statistics.alive?.tokens).toBe(found.tokens);
    expect(found.frequencies.tokens).toBe(found.tokens);
  });

  it("says what is wrong in one sentence", async () => {
    await using dictionary = await load("identity");
    const site = { model, submodule: MLP, buffer };
    const text = await rejection(evaluate(dictionary, { ...site, data: [] }));
    expect(text.message).toContain("no text to evaluate on");
    const oneShot = await rejection(evaluate(dictionary, { ...site, data: texts()[Symbol.iterator]() }));
    expect(oneShot.message).toContain("more than once");
    const nothing = await rejection(evaluate(dictionary, {}));
    expect(nothing.message).toContain("needs a model, a submodule and data");
    const contexts = await rejection(evaluate(dictionary, { ...site, data: TEXTS, contexts: 0 }));
    expect(contexts.message).toContain("contexts is 0");
    await using narrow = await load("narrow");
    const widths = await rejection(evaluate(narrow, { ...site, data: TEXTS }));
    expect(widths.message).toContain("rows of width 16, but gpt_neox.layers.1.mlp (io: out) has rows of width 32");
  });
});

describe("featureFrequencies and topContexts", () => {
  it("agree with the features of the rows, computed one by one", async () => {
    await using dictionary = await load("random");
    const options = { model, submodule: MLP, data: TEXTS, buffer };
    const contexts = 20;
    const { frequencies, tokens, histogram } = await featureFrequencies(dictionary, {
      ...options,
      tokens: contexts * 32,
    });
    expect(tokens).toBe(contexts * 32);
    const alive = frequencies.flatMap((frequency, feature) => (frequency > 0 ? [feature] : []));
    expect(alive.length).toBeGreaterThan(5);
    const chosen = alive.slice(0, 5);
    const found = await topContexts(dictionary, {
      ...options,
      features: chosen,
      count: 3,
      tokens: contexts * 32,
      batchSize: 3,
    });
    // All contexts in which they fire, by exhaustive search.
    const every = await topContexts(dictionary, {
      ...options,
      features: chosen,
      count: contexts,
      tokens: contexts * 32,
      batchSize: contexts,
    });
    for (const [index, { feature, contexts: all }] of every.entries()) {
      const fired = all.flatMap(({ activations }) => activations).filter((activation) => activation > 0).length;
      expect(fired / tokens).toBeCloseTo(frequencies[feature] ?? 0, 10);
      const top = found[index]?.contexts ?? [];
      expect(top.map(({ context }) => context)).toEqual(all.slice(0, 3).map(({ context }) => context));
      for (const { highest, activations, tokens: pieces, ids } of top) {
        expect(Math.max(...activations)).toBe(highest);
        expect(pieces).toHaveLength(ids.length);
        expect(activations).toHaveLength(ids.length);
      }
      expect(all.map(({ highest }) => highest)).toEqual(all.map(({ highest }) => highest).sort((a, b) => b - a));
    }
    expect(histogram.dead).toBe(frequencies.filter((frequency) => frequency === 0).length / frequencies.length);
    const first = found[0]?.contexts[0];
    expect(texts().join("<|endoftext|>")).toContain(first?.tokens.join("").split("<|endoftext|>")[0]);
  });

  it("leave out what never fires, and refuse a feature that is not there", async () => {
    await using silent = await load("zeros");
    const options = { model, submodule: MLP, data: TEXTS, buffer, tokens: 256 };
    expect(await topContexts(silent, { ...options, features: [0] })).toEqual([{ feature: 0, contexts: [] }]);
    const error = await rejection(topContexts(silent, { ...options, features: [1] }));
    expect(error.message).toContain("There is no feature 1");
  });
});

describe("reserved text", () => {
  it("shares no document with the rest, and both together are all of it", async () => {
    await using dictionary = await load("identity");
    const documents = texts().slice(0, 30);
    const tokensOf = async (part?: { every: number; take: "training" | "evaluation" }, data = documents) =>
      (await evaluate(dictionary, { model, submodule: MLP, data, buffer, contexts: 1000, ...(part ? { part } : {}) }))
        .tokens;
    const training = await tokensOf({ every: 10, take: "training" });
    const evaluation = await tokensOf({ every: 10, take: "evaluation" });
    expect(evaluation).toBe(
      await tokensOf(
        undefined,
        [9, 19, 29].map((index) => documents[index] ?? ""),
      ),
    );
    expect(training + evaluation).toBe(await tokensOf());
  });
});

const texts = (): string[] =>
  readFileSync(TEXTS.path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).text);

/** One tensor named inputs. */
const writeSafetensors = (path: string, { rows, shape }: { rows: Float32Array; shape: number[] }): void => {
  const header = JSON.stringify({ inputs: { dtype: "F32", shape, data_offsets: [0, rows.byteLength] } });
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(path, Buffer.concat([length, Buffer.from(padded), Buffer.from(rows.buffer)]));
};
