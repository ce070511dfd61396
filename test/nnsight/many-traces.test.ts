import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LanguageModel, TraceError } from "../../src/nnsight/index.ts";
import { Worker } from "../../src/worker/index.ts";
import { TINY } from "../cli/support.ts";
import { path, python, rejection } from "../support.ts";

const MLP = "gpt_neox.layers[1].mlp";
const PROMPT = "The cat sat on the mat";
const TRACES = 1000;
const MEBIBYTE = 2 ** 20;

describe("a thousand traces", () => {
  let worker: Worker;
  let model: LanguageModel;
  beforeAll(async () => {
    // One thread: several wait long for each other while other tests run.
    worker = await Worker.start({ python: await python(), environment: { OMP_NUM_THREADS: "1" } });
    model = await LanguageModel.load(TINY, { device: "cpu", worker });
  });
  afterAll(async () => await worker.close());

  /** One in four fails: in Python while the model runs, in the model after a write, or before anything is sent. */
  const one = async (index: number): Promise<void> => {
    if (index % 4 === 3) {
      const error = await rejection(
        model.trace(PROMPT, (t) => {
          const x = t.at(MLP).output;
          if (index % 3 === 0) t.at("gpt_neox.embed_in").input.replace(10 ** 6);
          return { first: t.logits.save(), x: (index % 3 === 1 ? x.position(99) : x.reshape([5, 7])).save() };
        }),
      );
      expect(error).toBeInstanceOf(TraceError);
      return;
    }
    await using result = await model.trace(PROMPT, (t) => {
      const x = t.at(MLP).output;
      x.position(-1).zero();
      const loss = t.logits.select(0, 0).position(-1).feature(3);
      return { logits: t.logits.save(), ...(index % 4 === 0 ? { by: t.gradient(loss, t.at(MLP).output).save() } : {}) };
    });
    if (index % 8 === 0) await result.logits.argmax();
  };

  it("with errors among them leave the worker's memory and its handles where they were", async () => {
    for (let index = 0; index < 200; index++) await one(index);
    const before = await worker.call("status", {});
    for (let index = 0; index < TRACES; index++) await one(index);
    const after = await worker.call("status", {});
    expect(after.handles).toBe(before.handles);
    expect(after.resident_bytes - before.resident_bytes).toBeLessThan(8 * MEBIBYTE);
  });
});

describe("two scripts", () => {
  it("run side by side, each with a worker of its own", async () => {
    const run = async (scale: string) =>
      await execa(process.execPath, ["--import", "tsx", path("test/fixtures/scripts/scale-mlp.ts"), TINY, scale], {
        env: { DICTLEARN_PYTHON: await python(), OMP_NUM_THREADS: "1" },
      });
    const [one, two] = await Promise.all([run("1"), run("2")]);
    const [first, second] = [JSON.parse(one.stdout), JSON.parse(two.stdout)];
    expect(first.pid).not.toBe(second.pid);
    // All of a script's traces gave the same, independent of the other script.
    expect(first.distinct).toBe(1);
    expect(second.distinct).toBe(1);
    expect(second.norm).toBeCloseTo(2 * first.norm, 4);
  });
});
