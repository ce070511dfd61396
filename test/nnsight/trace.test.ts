import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AutoEncoder } from "../../src/dictionary/index.ts";
import {
  LanguageModel,
  type Saved,
  type SavedTensor,
  TraceError,
  type TraceInvoke,
  type Value,
} from "../../src/nnsight/index.ts";
import { StaleHandleError } from "../../src/worker/index.ts";
import { TINY } from "../cli/support.ts";
import { makeDictionaries } from "../evaluate/support.ts";
import { python, rejection } from "../support.ts";

const MLP = "gpt_neox.layers[1].mlp";
const PROMPT = "The cat sat on the mat";

let model: LanguageModel;
let width: number;
beforeAll(async () => {
  model = await LanguageModel.load(TINY, { device: "cpu", python: await python() });
  width = model.facts.hidden_size ?? 0;
});
afterAll(async () => await model[Symbol.asyncDispose]());

const status = async () => await model.worker.call("status", {});

describe("a trace", () => {
  it("saves what modules take and return, as handles with shape and dtype", async () => {
    const tokens = (await model.tokenizer.encode(PROMPT)).length;
    const before = await status();
    {
      await using result = await model.trace(PROMPT, (t) => ({
        resid: t.at("gpt_neox.layers.0").output.save(),
        both: [t.at(MLP).input.save(), t.at(MLP).output.position(-1).save()],
        logits: t.logits.save(),
      }));
      const resid: SavedTensor = result.resid;
      expect(resid).toMatchObject({ shape: [1, tokens, width], dtype: "float32" });
      expect(result.both.map(({ shape }) => shape)).toEqual([
        [1, tokens, width],
        [1, width],
      ]);
      const numbers = await resid.array();
      expect(numbers).toBeInstanceOf(Float32Array);
      expect(numbers).toHaveLength(tokens * width);
      const { data } = await result.logits.argmax();
      expect(data).toHaveLength(tokens);
      expect((await status()).handles).toBe(before.handles + 4);
    }
    expect((await status()).handles).toBe(before.handles);
  });

  it("keeps nothing that the script has no way to free", async () => {
    const before = await status();
    await using _ = await model.trace(PROMPT, (t) => {
      t.logits.save();
      return { x: t.at(MLP).output.save() };
    });
    expect((await status()).handles).toBe(before.handles + 1);
  });

  it("reduces in the worker and brings single numbers over", async () => {
    await using result = await model.trace(PROMPT, (t) => {
      const x = t.at(MLP).output;
      return { x: x.save(), mean: x.mean().save(), top: x.position(-1).topk(3).indices.save() };
    });
    const numbers = [...(await result.x.array())].map(Number);
    const mean = numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
    expect(await result.mean.item()).toBeCloseTo(mean, 6);
    expect((await result.x.mean()).data[0]).toBeCloseTo(mean, 6);
    expect((await result.x.norm()).data[0]).toBeCloseTo(Math.hypot(...numbers), 4);
    const last = numbers.slice(-width);
    const best = last.toSorted((a, b) => b - a).slice(0, 3);
    const { values, indices } = await result.x.topk(3);
    expect(Array.from(values.data.slice(-3), Number)).toEqual(best);
    expect(await result.top.list()).toEqual([best.map((each) => last.indexOf(each))]);
    expect(Array.from(indices.data.slice(-3), Number)).toEqual(best.map((each) => last.indexOf(each)));
    expect(await rejection(result.x.item())).toBeInstanceOf(RangeError);
  });

  it("takes a saved tensor of an earlier trace, and the script's own numbers", async () => {
    await using clean = await model.trace(PROMPT, (t) => ({ mlp: t.at(MLP).output.save(), logits: t.logits.save() }));
    await using patched = await model.trace("The dog ran on the mat", (t) => {
      const site = t.at(MLP).output.position(-1);
      site.replace(t.value(clean.mlp).select(1, -1));
      t.at("gpt_neox.layers.0.mlp")
        .output.position(-1)
        .replace(t.tensor(Array.from({ length: width }, () => 0.5)));
      return { after: t.at(MLP).output.position(-1).save(), before: site.save() };
    });
    const wanted = [...(await clean.mlp.array())].slice(-width);
    expect([...(await patched.after.array())]).toEqual(wanted);
    expect([...(await patched.before.array())]).not.toEqual(wanted);
  });

  it("runs reads and writes in the order of the model, whatever order they were recorded in", async () => {
    await using sorted = await model.trace(PROMPT, (t) => {
      t.at("gpt_neox.layers.0.mlp").output.zero();
      return { late: t.at(MLP).output.save() };
    });
    await using reversed = await model.trace(PROMPT, (t) => {
      const late = t.at(MLP).output.save();
      t.at("gpt_neox.layers.0.mlp").output.zero();
      return { late };
    });
    expect(await reversed.late.array()).toEqual(await sorted.late.array());
  });

  it("stops behind the last module that is needed, and leaves out what nobody asked for", async () => {
    // No token has this number, so the pass would fail in the module itself.
    await using result = await model.trace([[1, 2, 3]], (t) => {
      const ids = t.at("gpt_neox.embed_in").input;
      ids.replace(10 ** 6);
      t.logits.softmax().mean();
      return { ids: t.at("gpt_neox.embed_in").input.save() };
    });
    expect(await result.ids.list()).toEqual([[10 ** 6, 10 ** 6, 10 ** 6]]);
  });

  it("puts a value of one prompt into another, in one batch", async () => {
    const [clean, corrupted] = ["The cat sat", "The dog ran on the mat"];
    const run = await model.trace((t) => {
      const a = t.invoke(clean);
      const b = t.invoke(corrupted);
      const own = b.at("gpt_neox.layers.0").output.position(-1).save();
      b.at("gpt_neox.layers.0").output.position(-1).replace(a.at("gpt_neox.layers.0").output.position(-1));
      return { own, a: a.logits.position(-1).save(), patched: b.at("gpt_neox.layers.0").output.position(-1).save() };
    });
    await using _ = run;
    await using alone = await model.trace([clean, corrupted], (t) => ({
      layer: t.at("gpt_neox.layers.0").output.position(-1).save(),
    }));
    const [first, second] = (await alone.layer.list()) as number[][];
    expect(await run.patched.list()).toEqual([first]);
    expect(await run.own.list()).toEqual([second]);
  });

  it("reads and writes a part of a tuple", async () => {
    await using result = await model.trace(PROMPT, (t) => {
      const attention = t.at("gpt_neox.layers.0.attention").output.element(0);
      attention.zero();
      return { after: t.at("gpt_neox.layers.0.attention").output.element(0).norm().save() };
    });
    expect(await result.after.item()).toBe(0);
  });

  it("gives gradients that agree with differences", async () => {
    const step = 1e-3;
    const metric = async (shift: number): Promise<number> => {
      await using result = await model.trace(PROMPT, (t) => {
        const x = t.at(MLP).output;
        x.select(0, 0).position(-1).feature(3).replace(x.select(0, 0).position(-1).feature(3).add(shift));
        return { metric: t.logits.select(0, 0).position(-1).feature(7).save() };
      });
      return await result.metric.item();
    };
    await using result = await model.trace(PROMPT, (t) => {
      const x = t.at(MLP).output;
      const y = t.logits.select(0, 0).position(-1).feature(7);
      const [whole, last] = t.gradient(y, [x, x.position(-1)]);
      return { whole: whole?.save() ?? t.tensor(0).save(), last: last?.save() ?? t.tensor(0).save() };
    });
    const gradient = (await result.last.list()) as number[][];
    const measured = ((await metric(step)) - (await metric(-step))) / (2 * step);
    expect(gradient[0]?.[3]).toBeCloseTo(measured, 3);
    const whole = (await result.whole.list()) as number[][][];
    expect(whole[0]?.at(-1)).toEqual(gradient[0]);
  });
});

describe("a dictionary in a trace", () => {
  it("encodes, decodes, and clamps a feature with the error kept", async () => {
    const { known } = await makeDictionaries({ known: ["random", width, 3] });
    await using dictionary = await AutoEncoder.load(known, { worker: model.worker });
    const feature = 5;
    await using result = await model.trace(PROMPT, (t) => {
      const x = t.at(MLP).output;
      const features = x.encode(dictionary);
      x.clampFeature(dictionary, feature, 4);
      const after = t.at(MLP).output;
      return {
        x: x.save(),
        features: features.save(),
        reconstruction: x.reconstruct(dictionary).save(),
        change: after.sub(x).save(),
      };
    });
    const x = result.x;
    const rows = { data: (await x.array()) as Float32Array, shape: [x.shape[1] ?? 0, width] as const };
    const { features, reconstruction } = await dictionary.forward(rows);
    expect([...(await result.features.array())]).toEqual([...features.data]);
    expect([...(await result.reconstruction.array())]).toEqual([...reconstruction.data]);
    // The change is (4 − f) times the feature's direction, at every position.
    const [direction] = [await dictionary.decode([unit(features.shape[1], feature)])];
    const [origin] = [await dictionary.decode([unit(features.shape[1], -1)])];
    const change = (await result.change.list()) as number[][][];
    for (const [position, row] of (change[0] ?? []).entries()) {
      const before = features.data[position * features.shape[1] + feature] ?? 0;
      const wanted = [...direction.data].map((each, index) => (4 - before) * (each - (origin.data[index] ?? 0)));
      for (const [index, each] of row.entries()) expect(each).toBeCloseTo(wanted[index] ?? Number.NaN, 4);
    }
  });
});

const unit = (size: number, at: number): number[] => Array.from({ length: size }, (_, index) => (index === at ? 1 : 0));

describe("a mistake in a trace", () => {
  /** The error of a trace, and the line of this file that it names. */
  const failure = async (run: () => Promise<unknown>): Promise<TraceError> => {
    const error = await rejection(run());
    expect(error).toBeInstanceOf(TraceError);
    return error as TraceError;
  };
  /** The line after the caller's, in this file. */
  const nextLine = (): string => {
    const [, file, line] = /(\/[^()]*trace\.test\.ts):(\d+)/.exec(new Error().stack?.split("\n")[2] ?? "") ?? [];
    return `${file}:${Number(line) + 1}:`;
  };

  it("names the line of an unknown module, with the nearest ones", async () => {
    let line = "";
    const error = await failure(
      async () =>
        await model.trace(PROMPT, (t) => {
          line = nextLine();
          return { x: t.at("gpt_neox.layer[1].mpl").output.save() };
        }),
    );
    expect(error).toMatchObject({ code: "unknown_submodule", hint: expect.stringContaining("gpt_neox.layers.1.mlp") });
    expect(error.site).toContain(line);
    expect(error.message).toBe(`${error.site}: at: the model has no submodule 'gpt_neox.layer[1].mpl'`);
  });

  it("names the line of a module that does not run by itself, and of a part that is not there", async () => {
    const container = await failure(
      async () => await model.trace(PROMPT, (t) => ({ x: t.at("gpt_neox.layers").output.save() })),
    );
    expect(container).toMatchObject({ code: "trace_module", message: expect.stringContaining("does not run") });
    const part = await failure(
      async () => await model.trace(PROMPT, (t) => ({ x: t.at(MLP).output.element(1).save() })),
    );
    expect(part).toMatchObject({ code: "trace_no_part", hint: "It has itself." });
    const tuple = await failure(
      async () => await model.trace(PROMPT, (t) => ({ x: t.at("gpt_neox.layers.0.attention").output.save() })),
    );
    expect(tuple).toMatchObject({ code: "trace_not_a_tensor", hint: expect.stringContaining("element") });
  });

  it("names the line of shapes that do not fit, before the trace and inside of it", async () => {
    let line = "";
    const before = await failure(
      async () =>
        await model.trace(PROMPT, (t) => {
          line = nextLine();
          t.at(MLP).output.replace(t.tensor([1, 2, 3]));
          return {};
        }),
    );
    expect(before).toMatchObject({ code: "trace_shape", operation: "replace", python: undefined });
    expect(before.site).toContain(line);
    const inside = await failure(
      async () =>
        await model.trace(PROMPT, (t) => {
          const x = t.at(MLP).output;
          line = nextLine();
          x.replace(x.add(x.position({ from: 0, to: 2 })));
          return {};
        }),
    );
    expect(inside).toMatchObject({ code: "trace_failed", operation: "add" });
    expect(inside.python).toMatch(/^RuntimeError: The size of tensor a/);
  });

  it("names both lines of a value that comes too late in the forward pass", async () => {
    let line = "";
    const error = await failure(
      async () =>
        await model.trace(PROMPT, (t) => {
          line = nextLine();
          const late = t.at("gpt_neox.layers.1").output;
          t.at("gpt_neox.layers.0").output.replace(late);
          return {};
        }),
    );
    expect(error.code).toBe("trace_order");
    expect(error.message).toMatch(/which the forward pass has only later$/);
    expect(error.message).toContain(line);
  });

  it("names the line of a Python exception, and has its traceback", async () => {
    let line = "";
    const error = await failure(
      async () =>
        await model.trace(PROMPT, (t) => {
          const x = t.at(MLP).output;
          line = nextLine();
          return { x: x.position(99).save() };
        }),
    );
    expect(error).toMatchObject({ code: "trace_failed", operation: "select" });
    expect(error.python).toMatch(/^IndexError: index 99 is out of bounds/);
    expect(error.site).toContain(line);
    expect((error.cause as Error).stack).toContain("Traceback");
  });

  it("names the last write where the model itself fails behind it", async () => {
    let line = "";
    const error = await failure(
      async () =>
        await model.trace([[1, 2, 3]], (t) => {
          line = nextLine();
          t.at("gpt_neox.embed_in").input.replace(10 ** 6);
          return { x: t.logits.save() };
        }),
    );
    expect(error).toMatchObject({
      code: "trace_failed",
      operation: "replace",
      python: "IndexError: index out of range in self",
    });
    expect(error.message).toContain("the model failed behind it");
    expect(error.site).toContain(line);
  });

  it("is caught where a gradient has no meaning", async () => {
    const many = await failure(
      async () => await model.trace(PROMPT, (t) => ({ x: t.gradient(t.logits, t.at(MLP).output).save() })),
    );
    expect(many.code).toBe("trace_gradient");
    const unrelated = await failure(
      async () =>
        await model.trace(PROMPT, (t) => ({
          x: t.gradient(t.at("gpt_neox.layers.0").output.sum(), t.at(MLP).output).save(),
        })),
    );
    expect(unrelated).toMatchObject({ code: "trace_gradient", message: expect.stringContaining("does not depend") });
  });

  it("is caught where the callback is async, or returns what is not saved, or a value leaves its trace", async () => {
    const wrong = model.trace.bind(model) as (
      prompt: string,
      callback: (t: TraceInvoke) => unknown,
    ) => Promise<unknown>;
    const asynchronous = await failure(async () => await wrong(PROMPT, async (t) => ({ x: t.logits.save() })));
    expect(asynchronous).toMatchObject({ code: "trace_misuse", message: expect.stringContaining("async") });
    expect((await failure(async () => await wrong(PROMPT, (t) => ({ x: t.logits })))).message).toContain("not saved");
    let leaked: Value | undefined;
    let mark: Saved | undefined;
    await using _ = await model.trace(PROMPT, (t) => {
      leaked = t.logits;
      mark = leaked.save();
      return { x: t.logits.mean().save() };
    });
    const other = await failure(async () => await wrong(PROMPT, () => ({ mark })));
    expect(other.message).toContain("what another trace saves");
    const late = await failure(async () => leaked?.add(1));
    expect(late.message).toContain("the trace's callback has returned");
    const foreign = await failure(
      async () => await model.trace(PROMPT, (t) => ({ x: t.logits.add(leaked ?? 0).save() })),
    );
    expect(foreign.message).toContain("belongs to another trace");
  });

  it("leaves a stale tensor an error, and the next trace works", async () => {
    const { x } = await model.trace(PROMPT, (t) => ({ x: t.logits.mean().save() }));
    await x.release();
    expect(await rejection(x.array())).toBeInstanceOf(StaleHandleError);
    await using again = await model.trace(PROMPT, (t) => ({ x: t.logits.mean().save() }));
    expect(Number.isFinite(await again.x.item())).toBe(true);
  });
});
