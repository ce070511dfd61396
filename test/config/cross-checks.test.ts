// Checks across several keys refuse the same in a script as in a config.

import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig, requireAvailable, resolveRun } from "../../src/config/index.ts";
import { ActivationBuffer, CachedRows, LanguageModel, Trainer, trainSAE, type Worker } from "../../src/index.ts";
import { GOLDEN, TINY } from "../cli/support.ts";
import { rejection, startWorker } from "../support.ts";

let worker: Worker;
let model: LanguageModel;
let rows: CachedRows;
beforeAll(async () => {
  worker = await startWorker();
  model = await LanguageModel.load(TINY, { worker, device: "cpu" });
  const path = join(GOLDEN, "train", "standard-f32.safetensors");
  rows = await CachedRows.open(worker, { path, outBatchSize: 64, dtype: "float32", device: "cpu" });
});
afterAll(async () => await worker.close());

const ofConfig = async (config: object): Promise<Error> =>
  await rejection(
    (async () =>
      requireAvailable(
        resolveRun(parseConfig({ activations: "a", dictionaries: [{ dictionary_size: 8 }], ...config })),
      ))(),
  );

describe.each([
  ["an architecture of another version", { architecture: "gated" }, {}, 'architecture to "gated"'],
  [
    "a decay that begins after the last step",
    { decay_start: 5, steps: 5 },
    {},
    "decay_start is 5, but the last step is 4.",
  ],
  [
    "bfloat16 products of float64",
    {},
    { autocast: "bfloat16", dtype: "float64" },
    "autocast is bfloat16, which needs dtype: float32, but dtype is float64.",
  ],
  ["the same of bfloat16", {}, { autocast: "bfloat16", dtype: "bfloat16" }, "but dtype is bfloat16."],
  ["a negative penalty", { sparsity_penalty: -1 }, {}, /sparsity_penalty (to|is) -1, but/],
  ["a rate that is no number", { lr: "fast" }, {}, /lr (to|is) "fast", but/],
])("%s", (_, train, run, message) => {
  it("is refused in a config, by trainSAE and by Trainer.create", async () => {
    expect(await ofConfig({ train, ...run })).toMatchObject({ name: "ConfigError", exitCode: 2 });
    expect((await ofConfig({ train, ...run })).message).toMatch(message);
    const options = { dictionary_size: 8, device: "cpu", ...train, ...run } as never;
    for (const attempt of [trainSAE(rows, options), Trainer.create(rows, options)]) {
      const error = await rejection(attempt);
      expect(error).toMatchObject({ name: "ConfigError", exitCode: 2 });
      expect(error.message).toMatch(message);
    }
  });
});

describe("the path of a key", () => {
  it("is where it stands", async () => {
    const of = async (config: object) => await ofConfig(config);
    const own = [{ dictionary_size: 8, decay_start: 9 }];
    expect(await of({ train: { steps: 5 }, dictionaries: own })).toMatchObject({
      message: "dictionaries.0.decay_start is 9, but the last step is 4.",
      hint: "Set dictionaries.0.decay_start to at most 4, or to null for no decay.",
    });
    expect((await of({ train: { steps: 5, decay_start: 9 } })).message).toMatch(/^train\.decay_start is 9/);
    expect((await of({ train: { architecture: "top_k" } })).message).toMatch(/^The config sets train\.architecture/);
    const options = { dictionary_size: 8, steps: 5, decay_start: 9 };
    expect((await rejection(trainSAE(rows, options))).message).toMatch(/^trainSAE: decay_start is 9/);
    expect((await rejection(Trainer.create(rows, options))).message).toMatch(/^Trainer\.create: decay_start is 9/);
  });
});

describe("a script", () => {
  it("cannot ask for a batch that is larger than the buffer", async () => {
    const options = { n_ctxs: 2, ctx_len: 16, out_batch_size: 33 };
    const submodule = "gpt_neox.layers.1.mlp";
    const config = { activations: undefined, model: TINY, data: "t", buffer: options };
    const words = "is 33, but the buffer holds only n_ctxs × ctx_len = 32 rows.";
    expect((await ofConfig({ ...config, dictionaries: [{ submodule, dictionary_size: 8 }] })).message).toBe(
      `buffer.out_batch_size ${words}`,
    );
    expect(await rejection(ActivationBuffer.create(["text"], model, submodule, options))).toMatchObject({
      message: `ActivationBuffer.create: out_batch_size ${words}`,
      hint: "Set n_ctxs to at least 3, or out_batch_size to at most 32.",
    });
  });

  it("cannot ask for checkpoints without a folder for them", async () => {
    const error = await rejection(trainSAE(rows, { dictionary_size: 8, save_steps: 10 }));
    expect(error.message).toBe("trainSAE: save_steps is 10, but there is no save_dir to keep checkpoints in.");
  });

  it("trains until the text ends where steps is undefined, as where it is left out", async () => {
    await using some = await CachedRows.open(worker, {
      path: join(GOLDEN, "train", "standard-f32.safetensors"),
      outBatchSize: 64,
      dtype: "float32",
      device: "cpu",
    });
    const ends: (number | null)[] = [];
    const options = { dictionary_size: 8, device: "cpu", steps: undefined as never };
    await using _ = await trainSAE(some, {
      ...options,
      onEvent: (event) => {
        if (event.type === "step") ends.push(event.steps);
      },
    });
    expect(new Set(ends)).toEqual(new Set([null]));
  });
});
