// Mistakes of plain JavaScript scripts with rows and training: each is one sentence.

import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AutoEncoder } from "../../src/dictionary/index.ts";
import {
  ActivationBuffer,
  CachedRows,
  evaluate,
  LanguageModel,
  parseConfig,
  resolveRun,
  runTraining,
  Trainer,
  topContexts,
  trainSAE,
  type Worker,
} from "../../src/index.ts";
import { GOLDEN, TINY, temporaryFolder } from "../cli/support.ts";
import { python } from "../support.ts";
import { dictionaryOf, isSentence, js, mistakeOf } from "./support.ts";

const PLACE = "gpt_neox.layers[1].mlp";
const SHAPE = { n_ctxs: 8, ctx_len: 16, in_batch_size: 4, out_batch_size: 16 };
const TEXT = [
  "The quick brown fox jumps over the lazy dog, and then it sleeps under the old oak tree until the next morning.",
  "A second document of some length, so that a few contexts of sixteen tokens can be cut out of the two of them.",
];

let model: LanguageModel;
let worker: Worker;
let ae: AutoEncoder;
let buffer: ActivationBuffer;
let trainer: Trainer;
beforeAll(async () => {
  model = await LanguageModel.load(TINY, { device: "cpu", python: await python() });
  worker = model.worker;
  ae = await dictionaryOf(worker, model.facts.hidden_size ?? 0, 24);
  buffer = await ActivationBuffer.create(TEXT, model, PLACE, SHAPE);
  trainer = await Trainer.create(buffer, { dictionary_size: 24, device: "cpu" });
});
afterAll(async () => await model.close());

type Case = readonly [title: string, call: () => unknown, message: RegExp];

const all = (cases: readonly Case[]): void => {
  it.each(cases)("%s", async (_, call, message) => {
    const error = await mistakeOf(call);
    expect(error.message).toMatch(message);
    expect(isSentence(error), error.message).toBe(true);
    expect(error).toMatchObject({ exitCode: 2 });
  });
};

const create =
  (data: unknown, options: unknown = SHAPE) =>
  () =>
    ActivationBuffer.create(js(data), model, PLACE, js(options));

describe("documents", () => {
  all([
    [
      "a text, in TypeScript",
      // @ts-expect-error A text is an Iterable of texts, its letters.
      () => ActivationBuffer.create("corpus.txt", model, PLACE),
      /^ActivationBuffer.create: data is "corpus.txt", but must be documents or \{ path \}\.$/,
    ],
    ["a text", create("corpus.txt"), /data is "corpus.txt", but must be documents/],
    ["a text object", create(Object("corpus.txt")), /data is a String, but must be documents/],
    ["a promise", create(Promise.resolve(TEXT)), /data is a Promise, but must be documents/],
    ["nothing", create(undefined), /data is missing, but must be documents/],
    ["null", create(null), /data is null, but must be documents/],
    ["bytes", create(Buffer.from("corpus")), /data is a Buffer, but must be documents/],
    ["a number", create(3), /data is 3, but must be documents/],
    ["a function", create(() => TEXT), /data is a function, but must be documents/],
    ["numbers in a list", create(["a", 3]), /^Document 2 of the text is 3, but must be a text\.$/],
    ["bytes in a list", create([Buffer.from("a")]), /^Document 1 of the text is a Buffer, but must be a text\.$/],
    [
      "objects in a list",
      create([{ text: "a" }]),
      /^Document 1 of the text is an object with text, but must be a text\.$/,
    ],
    [
      "a key of the source",
      create({ path: "t.jsonl", text_field: "t" }),
      /^Unknown option text_field of ActivationBuffer.create's data. Did you mean textField\?$/,
    ],
    ["a source without its path", create({ textField: "t" }), /^ActivationBuffer.create's data: path is missing/],
    [
      "a number to leave out",
      create({ path: "t.jsonl", skip: -1 }),
      /data: skip is -1, but must be a whole number of at least 0\.$/,
    ],
    [
      "objects from a generator, when they come",
      async () => {
        const documents = function* () {
          yield TEXT[0];
          yield { text: "second" };
        };
        await using later = await ActivationBuffer.create(js(documents()), model, PLACE, SHAPE);
        await later.fill();
      },
      /^Document 2 of the text is an object with text, but must be a text\.$/,
    ],
    [
      "documents of an evaluation",
      () => evaluate(ae, { model, submodule: PLACE, data: js("corpus.txt") }),
      /^evaluate: data is "corpus.txt", but must be documents/,
    ],
    [
      "documents of a search",
      () => topContexts(ae, { model, submodule: PLACE, data: js(["a", 1]), features: [0] }),
      /^Document 2 of the text is 1/,
    ],
  ]);
});

describe("buffers and rows", () => {
  all([
    ["a key", create(TEXT, { ctxs: 4 }), /^Unknown option ctxs of ActivationBuffer.create. Did you mean n_ctxs\?$/],
    [
      "a key in another spelling",
      create(TEXT, { ctxLen: 4 }),
      /^Unknown option ctxLen of ActivationBuffer.create. Did you mean ctx_len\?$/,
    ],
    [
      "a negative size",
      create(TEXT, { ...SHAPE, n_ctxs: -1 }),
      /^ActivationBuffer.create: n_ctxs is -1, but must be a number of at least 1\.$/,
    ],
    [
      "a fraction",
      create(TEXT, { ...SHAPE, ctx_len: 1.5 }),
      /^ActivationBuffer.create: ctx_len is 1.5, but must be a whole number\.$/,
    ],
    [
      "a batch beyond the buffer",
      create(TEXT, { ...SHAPE, out_batch_size: 129 }),
      /out_batch_size is 129, but the buffer holds only n_ctxs × ctx_len = 128 rows\.$/,
    ],
    [
      "a dtype",
      create(TEXT, { ...SHAPE, dtype: "float16" }),
      /^ActivationBuffer.create: dtype is "float16", but must be "float32", /,
    ],
    [
      "a device",
      create(TEXT, { ...SHAPE, device: "gpu" }),
      /^ActivationBuffer.create: device is "gpu", but must be auto, cpu, cuda or cuda:N\.$/,
    ],
    [
      "a side",
      create(TEXT, { ...SHAPE, io: "output" }),
      /^ActivationBuffer.create: io is "output", but must be "out", "in", "in_to_out"\.$/,
    ],
    [
      "a seed",
      create(TEXT, { ...SHAPE, seed: -1 }),
      /^ActivationBuffer.create: seed is -1, but must be a whole number/,
    ],
    [
      "a model by its path",
      () => ActivationBuffer.create(TEXT, js("m"), PLACE),
      /^ActivationBuffer.create: model is "m", but must be a LanguageModel/,
    ],
    [
      "no submodule",
      () => ActivationBuffer.create(TEXT, model, js(undefined)),
      /^ActivationBuffer.create: submodule is missing/,
    ],
    [
      "rows without their batch",
      () => CachedRows.open(worker, js({ path: "r.safetensors", dtype: "float32", device: "cpu" })),
      /^CachedRows.open: outBatchSize is missing/,
    ],
    [
      "a batch of rows",
      () => CachedRows.open(worker, { path: "r.safetensors", outBatchSize: 0, dtype: "float32", device: "cpu" }),
      /^CachedRows.open: outBatchSize is 0, but must be/,
    ],
    [
      "rows by Python's key",
      () => CachedRows.open(worker, js({ path: "r", out_batch_size: 1 })),
      /^Unknown option out_batch_size of CachedRows.open. Did you mean outBatchSize\?$/,
    ],
    ["no number of batches", () => buffer.next(js("3")), /^next: most is "3", but must be a whole number/],
    ["less than no batch", () => buffer.next(-1), /^next: most is -1, but must be/],
  ]);
});

describe("training", () => {
  const train = (options: unknown) => () => trainSAE(buffer, js(options));
  all([
    ["without a size", train({}), /^trainSAE: dictionary_size is missing; it must be a whole number of at least 1\.$/],
    ["without options", train(undefined), /^The options of trainSAE must be an object, but are undefined\.$/],
    [
      "the size in another spelling",
      train({ dictionarySize: 8 }),
      /^Unknown option dictionarySize of trainSAE. Did you mean dictionary_size\?$/,
    ],
    [
      "half a feature",
      train({ dictionary_size: 8.5 }),
      /^trainSAE: dictionary_size is 8.5, but must be a whole number/,
    ],
    ["a rate below 0", train({ dictionary_size: 8, lr: -1 }), /^trainSAE: lr is -1, but must be a number above 0\.$/],
    [
      "a rate that is NaN",
      train({ dictionary_size: 8, lr: Number.NaN }),
      /^trainSAE: lr is NaN, but must be a number\.$/,
    ],
    ["a rate as text", train({ dictionary_size: 8, lr: "1e-3" }), /^trainSAE: lr is "1e-3", but must be a number\.$/],
    [
      "a slip",
      train({ dictionary_size: 8, warmup_step: 3 }),
      /^Unknown option warmup_step of trainSAE. Did you mean warmup_steps\?$/,
    ],
    [
      "another library's name",
      train({ dictionary_size: 8, l1_coefficient: 3 }),
      /^Unknown option l1_coefficient of trainSAE. Did you mean sparsity_penalty\?$/,
    ],
    ["a dtype", train({ dictionary_size: 8, dtype: "half" }), /^trainSAE: dtype is "half", but must be/],
    [
      "a way to resume",
      train({ dictionary_size: 8, resume: true }),
      /^trainSAE: resume is true, but must be "exact", "light", "off"\.$/,
    ],
    [
      "a callback",
      train({ dictionary_size: 8, onMetrics: [] }),
      /^trainSAE: onMetrics is \[\], but must be a function\.$/,
    ],
    [
      "rows that are none",
      () => trainSAE(js(TEXT), { dictionary_size: 8 }),
      /^trainSAE: source is a list of 2, but must be an ActivationBuffer or CachedRows\.$/,
    ],
    [
      "a trainer",
      () => Trainer.create(buffer, js({ size: 8 })),
      /^Unknown option size of Trainer.create. Did you mean dictionary_size\?$/,
    ],
    [
      "a step with a rate below 0",
      () => trainer.step({ lr: -1, sparsity_penalty: 0 }),
      /^Trainer.step: lr is -1, but must be a finite number of at least 0\.$/,
    ],
    [
      "a step with NaN",
      () => trainer.step({ lr: Number.NaN, sparsity_penalty: 0 }),
      /^Trainer.step: lr is NaN, but must be/,
    ],
    ["a step without a penalty", () => trainer.step(js({ lr: 1e-3 })), /^Trainer.step: sparsity_penalty is missing/],
    [
      "a step without anything",
      () => trainer.step(js(undefined)),
      /^The options of Trainer.step must be an object, but are undefined\.$/,
    ],
    [
      "a step by another name",
      () => trainer.step(js({ lr: 1e-3, l1_penalty: 0 })),
      /^Unknown option l1_penalty of Trainer.step. Did you mean sparsity_penalty\?$/,
    ],
    [
      "a feature that it lacks",
      () => trainer.resample([9999]),
      /^Trainer.resample: features is \[9999\], but must be a list of numbers of features, from 0 to 23, each once\.$/,
    ],
    ["half a feature to resample", () => trainer.resample([1.5]), /^Trainer.resample: features is \[1.5\]/],
    ["a feature twice", () => trainer.resample([1, 1]), /^Trainer.resample: features is \[1, 1\]/],
    ["a number for a list", () => trainer.resample(js(1)), /^Trainer.resample: features is 1, but must be a list/],
    ["a resampling before the first step", () => trainer.resample([1]), /^Trainer.resample: no step was taken yet/],
    ["metrics before the first step", () => trainer.metrics(), /^Trainer.metrics: no step was taken yet/],
    [
      "silence for less than nothing",
      () => trainer.silentFeatures(-1),
      /^Trainer.silentFeatures: steps is -1, but must be a whole number of at least 0\.$/,
    ],
    ["silence for ever", () => trainer.silentFeatures(js(undefined)), /^Trainer.silentFeatures: steps is missing/],
  ]);

  it("on text without a token is the error of a run, and so is a step", async () => {
    const empty = async () => await ActivationBuffer.create(["", "  "], model, PLACE, SHAPE);
    const error = { code: "no_tokens", message: "There is nothing to train on: the text has no token in it." };
    await using first = await empty();
    await expect(trainSAE(first, { dictionary_size: 32, steps: 5 })).rejects.toMatchObject(error);
    await using second = await empty();
    await using own = await Trainer.create(second, { dictionary_size: 32 });
    await expect(own.step({ lr: 1e-3, sparsity_penalty: 0 })).rejects.toMatchObject(error);
    const config = parseConfig({
      model: TINY,
      data: { path: join(GOLDEN, "texts.jsonl"), skip: 1_000_000 },
      output: join(temporaryFolder(), "run"),
      dictionaries: [{ submodule: "gpt_neox.layers.1.mlp", dictionary_size: 8 }],
    });
    await expect(runTraining(resolveRun(config), worker, { observe: () => {} })).rejects.toMatchObject(error);
  });

  it("on rows that were drawn before, or on less than a buffer of them that is dropped, says so", async () => {
    await using used = await ActivationBuffer.create(TEXT, model, PLACE, SHAPE);
    await using _ = await trainSAE(used, { dictionary_size: 8, device: "cpu" });
    await expect(trainSAE(used, { dictionary_size: 8 })).rejects.toMatchObject({
      code: "no_tokens",
      message: "There is nothing to train on: all of these rows were drawn before.",
    });
    const drops = { ...SHAPE, n_ctxs: 100, remaining_rows: "drop" } as const;
    await using short = await ActivationBuffer.create(TEXT, model, PLACE, drops);
    await expect(trainSAE(short, { dictionary_size: 8 })).rejects.toMatchObject({
      code: "no_tokens",
      message: expect.stringContaining("its rows are dropped"),
    });
  });
});
