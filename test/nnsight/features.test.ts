import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AutoEncoder } from "../../src/dictionary/index.ts";
import { LanguageModel, type ModelFeatures, type TraceInvoke, type Value } from "../../src/nnsight/index.ts";
import { TINY } from "../cli/support.ts";
import { makeDictionaries } from "../evaluate/support.ts";
import { python, rejection } from "../support.ts";

const PROMPT = "The cat sat on the mat";
/** The end-of-text token, which `minNewTokens` forbids. */
const END = 2;
const metric = (t: TraceInvoke): Value => t.logits.select(0, 0).position(-1).logSoftmax().feature(7);

let model: LanguageModel;
let width: number;
let sae: AutoEncoder;
let features: ModelFeatures;
beforeAll(async () => {
  // float64, so that differences over a small step are accurate to many digits.
  model = await LanguageModel.load(TINY, { device: "cpu", dtype: "float64", python: await python() });
  width = model.facts.hidden_size ?? 0;
  const { random } = await makeDictionaries({ random: ["random", width, 3] });
  sae = await AutoEncoder.load(random, { worker: model.worker, dtype: "float64" });
  features = model.features("gpt_neox.layers[1].mlp", sae);
});
afterAll(async () => await model[Symbol.asyncDispose]());

describe("the features of a place", () => {
  it("have the activations that the dictionary computes of the rows", async () => {
    await using found = await features.featureActivations(PROMPT);
    await using result = await model.trace(PROMPT, (t) => ({ x: t.at("gpt_neox.layers.1.mlp").output.save() }));
    const [rows] = (await result.x.list()) as number[][][];
    const { data, shape } = await sae.encode(rows ?? []);
    expect(found.shape).toEqual([1, ...shape]);
    expect([...data].some((each) => each > 0)).toBe(true);
    const numbers = await found.array();
    for (const [index, each] of data.entries()) expect(numbers[index]).toBeCloseTo(each, 5);
  });

  it("are given their part of a metric, and so is the error: gradients agree with differences", async () => {
    await using found = await features.attribution(PROMPT, metric);
    const [attributed, activations] = [await found.features.array(), await found.activations.array()].map((each) =>
      Array.from(each, Number),
    ) as [number[], number[]];
    const [, positions = 0, size = 0] = found.features.shape;
    /** The metric after a small change of the features and the error. */
    const changed = async (features: Float64Array, error: number): Promise<number> => {
      await using result = await model.trace(PROMPT, (t) => {
        const x = t.at("gpt_neox.layers.1.mlp").output;
        const f = x.encode(sae);
        const rest = x.sub(f.decode(sae)).mul(1 + error);
        const moved = f.add(t.tensor({ data: features, shape: [1, positions, size] }));
        x.replace(moved.decode(sae).add(rest));
        return { metric: metric(t).save() };
      });
      return await result.metric.item();
    };
    const step = 1e-4;
    const none = new Float64Array(positions * size);
    expect(await found.metric.item()).toBeCloseTo(await changed(none, 0), 10);
    // The three largest attributions, at any position.
    const largest = [...attributed.keys()].sort((a, b) => Math.abs(attributed[b] ?? 0) - Math.abs(attributed[a] ?? 0));
    for (const at of largest.slice(0, 3)) {
      const [up, down] = [await changed(none.with(at, step), 0), await changed(none.with(at, -step), 0)];
      const wanted = ((up - down) / (2 * step)) * (activations[at] ?? 0);
      expect(Math.abs(wanted)).toBeGreaterThan(1e-3);
      expect(attributed[at]).toBeCloseTo(wanted, 6);
    }
    const error = Array.from(await found.error.array(), Number).reduce((sum, each) => sum + each, 0);
    const wanted = ((await changed(none, step)) - (await changed(none, -step))) / (2 * step);
    expect(Math.abs(wanted)).toBeGreaterThan(1e-3);
    expect(error).toBeCloseTo(wanted, 6);
  });

  it("steer along their directions, at every position", async () => {
    const [feature, strength] = [5, 3];
    const louder = features.steer(feature, strength);
    await using result = await model.trace(PROMPT, (t) => {
      const before = t.at("gpt_neox.layers.1.mlp").output;
      louder(t);
      return { change: t.at("gpt_neox.layers.1.mlp").output.sub(before).save() };
    });
    const unit = Array.from({ length: sae.shape.size }, (_, index) => (index === feature ? 1 : 0));
    const [direction, origin] = [await sae.decode([unit]), await sae.decode([unit.map(() => 0)])];
    for (const row of ((await result.change.list()) as number[][][])[0] ?? []) {
      for (const [index, each] of row.entries()) {
        const wanted = strength * ((direction.data[index] ?? 0) - (origin.data[index] ?? 0));
        expect(each).toBeCloseTo(wanted, 5);
      }
    }
  });

  it("are read from a module's input, and from the first part of a tuple", async () => {
    await using attention = await model
      .features({ submodule: "gpt_neox.layers.0.attention" }, sae)
      .featureActivations(PROMPT);
    await using input = await model
      .features({ submodule: "gpt_neox.layers.1.mlp", io: "in" }, sae)
      .featureActivations(PROMPT);
    await using result = await model.trace(PROMPT, (t) => ({
      attention: t.at("gpt_neox.layers.0.attention").output.element(0).encode(sae).save(),
      input: t.at("gpt_neox.layers.1.mlp").input.encode(sae).save(),
    }));
    expect(await attention.array()).toEqual(await result.attention.array());
    expect(await input.array()).toEqual(await result.input.array());
  });

  it("lead from a module's input to its output, with a dictionary of two widths", async () => {
    const submodule = "gpt_neox.layers.1.mlp.dense_4h_to_h";
    const { worker } = model;
    const { generator } = await worker.call("generator.create", { seed: 4 });
    const shape = { inputWidth: 4 * width, outputWidth: width, size: 24, dtype: "float64" } as const;
    const transcoder = await AutoEncoder.create(worker, shape, { device: "cpu", generator });
    const tools = model.features({ submodule, io: "in_to_out" }, transcoder);
    await using plain = await model.trace(PROMPT, (t) => ({
      f: t.at(submodule).input.encode(transcoder).save(),
      y: t.at(submodule).output.save(),
      metric: metric(t).save(),
    }));
    await using activations = await tools.featureActivations(PROMPT);
    expect(await activations.array()).toEqual(await plain.f.array());

    // A feature that the metric depends on: this is the last layer, and the feature fires most at the last position.
    const f = Array.from(await plain.f.array(), Number);
    const last = f.slice(-shape.size);
    const feature = last.indexOf(Math.max(...last));
    // The tools change a row of the output along the feature's direction.
    const strength = 3;
    const units = [0, 1].map((on) => Array.from({ length: shape.size }, (_, at) => (at === feature ? on : 0)));
    const decoded = await transcoder.decode(units);
    const output = async (change: (t: TraceInvoke) => void) => {
      await using result = await model.trace(PROMPT, (t) => {
        change(t);
        return { y: t.at(submodule).output.save() };
      });
      return Array.from(await result.y.array(), Number);
    };
    const [without, louder] = [
      await output(tools.clamp(feature, 0)),
      await output(tools.steer(feature, strength)),
    ] as const;
    const fired = f.filter((_, at) => at % shape.size === feature);
    expect(fired.at(-1)).toBeGreaterThan(0);
    for (const [index, value] of Array.from(await plain.y.array(), Number).entries()) {
      const column = index % width;
      const direction = (decoded.data[width + column] ?? 0) - (decoded.data[column] ?? 0);
      expect(without[index]).toBeCloseTo(value - (fired[Math.floor(index / width)] ?? 0) * direction, 5);
      expect(louder[index]).toBeCloseTo(value + strength * direction, 5);
    }

    // A feature's attribution is the metric's derivative in a factor that scales the feature.
    await using parts = await tools.attribution(PROMPT, metric);
    expect(await parts.metric.item()).toBeCloseTo(await plain.metric.item(), 10);
    const scaled = async (scale: number): Promise<number> => {
      await using result = await model.trace(PROMPT, (t) => {
        const f = t.at(submodule).input.encode(transcoder);
        const y = t.at(submodule).output;
        const changed = f.put("feature", feature, f.feature(feature).mul(scale));
        y.replace(changed.decode(transcoder).add(y.sub(f.decode(transcoder))));
        return { metric: metric(t).save() };
      });
      return await result.metric.item();
    };
    const step = 1e-4;
    const wanted = ((await scaled(1 + step)) - (await scaled(1 - step))) / (2 * step);
    const found = Array.from(await parts.features.array(), Number).filter((_, at) => at % shape.size === feature);
    expect(Math.abs(wanted)).toBeGreaterThan(1e-4);
    expect(found.reduce((sum, each) => sum + each, 0)).toBeCloseTo(wanted, 7);
  });

  it("steer what is generated, as if every token were traced anew", async () => {
    const options = { maxNewTokens: 8, minNewTokens: 8 };
    const change = features.clamp([5, 9], 40);
    const [steered] = await model.generate(PROMPT, { ...options, intervene: change });
    const [untouched] = await model.generate(PROMPT, options);
    expect(steered?.ids).not.toEqual(untouched?.ids);
    const ids = await model.tokenizer.encode(PROMPT);
    const start = ids.length;
    while (ids.length < start + options.maxNewTokens) {
      await using next = await model.trace([ids], (t) => {
        change(t);
        return { token: t.logits.position(-1).put("feature", END, -1e9).argmax().save() };
      });
      ids.push(await next.token.item());
    }
    expect(steered?.ids).toEqual(ids.slice(start));
  });

  it("bring what was saved in each pass of a generation, and free it", async () => {
    const { handles } = await model.worker.call("status", {});
    {
      await using made = await model.generate([PROMPT, "Two dogs"], {
        maxNewTokens: 4,
        minNewTokens: 4,
        intervene: (t) => {
          t.at("gpt_neox.layers.0").output.save(); // not returned, so not kept
          return { pair: [t.tensor([1, 2]).save()], logits: t.logits.position(-1).put("feature", END, -1e9).save() };
        },
      });
      expect(made.passes).toHaveLength(4);
      for (const [index, { pair, logits }] of made.passes.entries()) {
        expect(await pair[0]?.list()).toEqual([1, 2]);
        const likeliest = await logits.argmax();
        expect([...likeliest.data].map(Number)).toEqual(made.continuations.map(({ ids }) => ids[index]));
      }
      const kept = await model.worker.call("status", {});
      expect(kept.handles).toBe(handles + 8);
    }
    expect((await model.worker.call("status", {})).handles).toBe(handles);
  });

  it("name the line of what goes wrong in a generation", async () => {
    const misuse = (model.generate as (...args: unknown[]) => Promise<unknown>).bind(model);
    for (const intervene of [
      (t: TraceInvoke) => t.logits, // not saved
      (t: TraceInvoke) => t.tensor([1]).save(), // not the model's
      async (t: TraceInvoke) => t.logits.save(), // never run, only recorded
    ]) {
      const error = await rejection(misuse(PROMPT, { intervene }));
      expect(error).toMatchObject({ name: "TraceError", code: "trace_misuse" });
      expect(error.message).toContain("features.test.ts");
    }
    // The prompt has such a position; later passes have only one each.
    const beyond = (t: TraceInvoke) => t.at("gpt_neox.layers.0").output.position(3).zero();
    const error = await rejection(model.generate(PROMPT, { intervene: beyond }));
    expect(error).toMatchObject({ name: "TraceError", code: "trace_failed", operation: "select" });
    expect(error.message).toMatch(/features\.test\.ts:\d+:\d+: select: IndexError/);
    const gradient = (t: TraceInvoke) => {
      const x = t.at("gpt_neox.layers.1.mlp").output;
      t.logits.replace(t.logits.mul(t.gradient(metric(t), x).sum()));
    };
    expect(await rejection(model.generate(PROMPT, { intervene: gradient }))).toMatchObject({ code: "trace_gradient" });
  });

  it("need a known module and a dictionary of one width, and a metric of one number", async () => {
    expect(() => model.features("gpt_neox.layers[1].mpl", sae)).toThrow(
      expect.objectContaining({ code: "unknown_submodule" }),
    );
    const transcoder = {
      worker: sae.worker,
      ref: sae.ref,
      shape: { inputWidth: width, outputWidth: width + 1, size: 8 },
    };
    expect(() => model.features("gpt_neox.layers[1].mlp", transcoder)).toThrow(
      expect.objectContaining({ code: "wrong_dictionary" }),
    );
    const error = await rejection(features.attribution(PROMPT, (t) => t.logits));
    expect(error).toMatchObject({ code: "trace_gradient" });
    expect(error.message).toContain("features.test.ts");
  });
});
