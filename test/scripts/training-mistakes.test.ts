// What scripts in plain JavaScript can get wrong around rows, training, evaluation and files: each mistake is one sentence.

import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AutoEncoder } from "../../src/dictionary/index.ts";
import {
  ActivationBuffer,
  AutoEncoder as AutoEncoderClass,
  benchMachine,
  CachedRows,
  createReport,
  downloadPublished,
  ensureEnvironment,
  evaluate,
  examineRun,
  featureFrequencies,
  LanguageModel,
  loadConfig,
  parseConfig,
  predictRun,
  publishedAt,
  publishedDictionaries,
  publishedSet,
  resolveRun,
  runTraining,
  Trainer,
  topContexts,
  trainSAE,
  verifyPublished,
  Worker,
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
let width: number;
let ae: AutoEncoder;
let buffer: ActivationBuffer;
let trainer: Trainer;
beforeAll(async () => {
  model = await LanguageModel.load(TINY, { device: "cpu", python: await python() });
  worker = model.worker;
  width = model.facts.hidden_size ?? 0;
  ae = await dictionaryOf(worker, width, 24);
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
      /^out_batch_size is 129, but the buffer holds only n_ctxs × ctx_len = 128 rows\.$/,
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

describe("a dictionary's numbers", () => {
  const row = () => new Array(width).fill(0.5);
  all([
    ["a text", () => ae.encode(js([["a"]])), /^encode: rows hold "a" in row 0, column 0, where a number must stand\.$/],
    [
      "NaN",
      () => ae.encode([row(), row().with(2, Number.NaN)]),
      /^encode: rows hold NaN in row 1, column 2, but every number must be finite\.$/,
    ],
    [
      "an infinity",
      () => ae.forward([row().with(0, Number.POSITIVE_INFINITY)]),
      /^forward: rows hold Infinity in row 0, column 0/,
    ],
    [
      "rows of different lengths",
      () => ae.encode([row(), [1]]),
      /^The rows of a matrix must all have the same length\.$/,
    ],
    ["rows of another width", () => ae.encode([[1, 2]]), /^encode: rows are 2 numbers wide, but must be \d+ wide\.$/],
    [
      "features of another width",
      () => ae.decode([[1, 2]]),
      /^decode: features are 2 numbers wide, but must be 24 wide\.$/,
    ],
    [
      "one row for rows",
      () => ae.encode(js(row())),
      /^encode: rows is a list of \d+, but must be a list of lists of numbers\.$/,
    ],
    [
      "an array of another type",
      () => ae.encode(js({ data: new Int32Array(2), shape: [1, 2] })),
      /^encode's rows: data is an Int32Array, but must be a Float32Array or a Float64Array\.$/,
    ],
    [
      "a shape",
      () => ae.encode({ data: new Float32Array(2), shape: js([2]) }),
      /^encode's rows: shape is \[2\], but must be a pair of whole numbers/,
    ],
    ["nothing", () => ae.encode(js(undefined)), /^encode: rows is missing; it must be a list of lists of numbers\.$/],
    ["a path to save to", () => ae.save(js(undefined)), /^AutoEncoder.save: path is missing/],
    [
      "a path to load from",
      () => AutoEncoderClass.load(js(3), { worker }),
      /^AutoEncoder.load: path is 3, but must be the path of a folder or a file/,
    ],
    [
      "a key of loading",
      () => AutoEncoderClass.load("ae.pt", js({ wroker: worker })),
      /^Unknown option wroker of AutoEncoder.load. Did you mean worker\?$/,
    ],
    [
      "a dtype to load in",
      () => AutoEncoderClass.load("ae.pt", { worker, dtype: js("half") }),
      /^AutoEncoder.load: dtype is "half"/,
    ],
  ]);
});

describe("evaluations, reports and downloads", () => {
  const at = () => ({ model, submodule: PLACE, data: TEXT });
  const run = resolveRun(
    parseConfig({ activations: "rows.safetensors", output: "out", dictionaries: [{ dictionary_size: 8 }] }),
  );
  all([
    [
      "a key of an evaluation",
      () => evaluate(ae, js({ ...at(), batch_size: 4 })),
      /^Unknown option batch_size of evaluate. Did you mean batchSize\?$/,
    ],
    [
      "a key of its buffer",
      () => evaluate(ae, { ...at(), buffer: js({ ctxlen: 4 }) }),
      /^Unknown option buffer.ctxlen of evaluate. Did you mean buffer.ctx_len\?$/,
    ],
    [
      "contexts of an evaluation",
      () => evaluate(ae, { ...at(), contexts: 0 }),
      /^evaluate: contexts is 0, but must be a whole number of at least 1\.$/,
    ],
    [
      "a compat",
      () => evaluate(ae, { ...at(), compat: js("ddac") }),
      /^evaluate: compat is "ddac", but must be "none", "ddac948"\.$/,
    ],
    ["no dictionary", () => evaluate(js("ae.pt"), at()), /^evaluate: dictionary is "ae.pt", but must be a dictionary/],
    [
      "a search without features",
      () => topContexts(ae, js(at())),
      /^topContexts: features is missing; it must be a list of numbers of features\.$/,
    ],
    [
      "a search for one number",
      () => topContexts(ae, { ...at(), features: js(3) }),
      /^topContexts: features is 3, but must be a list/,
    ],
    ["a feature that is not there", () => topContexts(ae, { ...at(), features: [24] }), /^There is no feature 24/],
    [
      "how many contexts",
      () => topContexts(ae, { ...at(), features: [0], count: -1 }),
      /^topContexts: count is -1, but must be a whole number/,
    ],
    [
      "a search without a model",
      () => topContexts(ae, js({ submodule: PLACE, data: TEXT, features: [0] })),
      /^topContexts: model is missing/,
    ],
    [
      "tokens to count on",
      () => featureFrequencies(ae, { ...at(), tokens: 1.5 }),
      /^featureFrequencies: tokens is 1.5, but must be/,
    ],
    [
      "a key of counting",
      () => featureFrequencies(ae, js({ ...at(), contexts: 3 })),
      /^Unknown option contexts of featureFrequencies\.$/,
    ],
    [
      "one path for several",
      () => createReport(js("runs/x"), { worker }),
      /^createReport: paths is "runs\/x", but must be a list of paths/,
    ],
    [
      "a key of a report",
      () => createReport([], js({ worker, add_features: [1] })),
      /^Unknown option add_features of createReport. Did you mean addFeatures\?$/,
    ],
    [
      "a choice of a report",
      () => createReport([], { worker, choices: js({ ctxLen: 3 }) }),
      /^Unknown option choices.ctxLen of createReport. Did you mean choices.ctx_len\?$/,
    ],
    [
      "features of a report",
      () => createReport([], { worker, features: 0 }),
      /^createReport: features is 0, but must be a whole number of at least 1\.$/,
    ],
    [
      "a download without its folder",
      () => downloadPublished("0_8192", js({})),
      /^downloadPublished: to is missing; it must be the path of a folder/,
    ],
    [
      "a key of a download",
      () => downloadPublished("0_8192", js({ to: "x", layer: [3] })),
      /^Unknown option layer of downloadPublished. Did you mean layers\?$/,
    ],
    [
      "layers of a download",
      () => downloadPublished("0_8192", { to: "x", layers: js(3) }),
      /^downloadPublished: layers is 3, but must be a list of layers or sites/,
    ],
    ["a set that is none", () => publishedSet(js(3)), /^publishedSet: name is 3, but must be a text\.$/],
    [
      "a set by its name",
      () => publishedDictionaries(js("0_8192")),
      /^publishedDictionaries: set is "0_8192", but must be a set, as publishedSet gives\.$/,
    ],
    ["a folder", () => publishedAt(js(3)), /^publishedAt: folder is 3, but must be a text\.$/],
    [
      "what to verify",
      () => verifyPublished("d", js({ worker, contexts: 3 })),
      /^Unknown option contexts of verifyPublished\.$/,
    ],
    [
      "a choice of verifying",
      () => verifyPublished("d", { worker, choices: js({ submodule: "x" }) }),
      /^Unknown option choices.submodule of verifyPublished\.$/,
    ],
    [
      "a benchmark",
      () => benchMachine(worker, js({ devcie: "cpu" })),
      /^Unknown option devcie of benchMachine. Did you mean device\?$/,
    ],
    ["a benchmark without a worker", () => benchMachine(js(undefined)), /^benchMachine: worker is missing/],
    [
      "a prediction",
      () => predictRun(js({}), worker),
      /^predictRun: run is \{\}, but must be a run, as resolveRun gives\.$/,
    ],
    ["an examination", () => examineRun(js("c.yaml"), worker), /^examineRun: run is "c.yaml", but must be a run/],
    [
      "a run of no run",
      () => runTraining(js("c.yaml"), worker, { observe: () => {} }),
      /^runTraining: run is "c.yaml"/,
    ],
    [
      "a run without an observer",
      () => runTraining(run, worker, js({})),
      /^runTraining: observe is missing; it must be a function\.$/,
    ],
    [
      "a key of a run",
      () => runTraining(run, worker, js({ observe: () => {}, overwite: true })),
      /^Unknown option overwite of runTraining. Did you mean overwrite\?$/,
    ],
    [
      "a config that was not parsed",
      () => resolveRun(js({ model: "m" })),
      /^resolveRun: config is an object with model, but must be a config, as loadConfig and parseConfig give\.$/,
    ],
    [
      "a config with a function",
      () => parseConfig({ model: () => {} }),
      /^The config holds something that is neither text nor number/,
    ],
    ["a config's path", () => loadConfig(js({ model: "m" })), /^loadConfig: path is an object with model/],
    [
      "overrides that are no texts",
      () => loadConfig("c.yaml", js({ "train.lr": 1 })),
      /^loadConfig: overrides is an object with train.lr, but must be texts/,
    ],
    ["a worker without an interpreter", () => Worker.start(js({})), /^Worker.start: python is missing/],
    [
      "a key of a worker",
      () => Worker.start(js({ python: "python3", env: {} })),
      /^Unknown option env of Worker.start\.$/,
    ],
    [
      "a key of the environment",
      () => ensureEnvironment(js({ pyhton: "python3" })),
      /^Unknown option pyhton of ensureEnvironment. Did you mean python\?$/,
    ],
  ]);
});
