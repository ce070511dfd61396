// Mistakes of plain JavaScript scripts with dictionaries, evaluations, reports and downloads: each is one sentence.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AutoEncoder } from "../../src/dictionary/index.ts";
import {
  AutoEncoder as AutoEncoderClass,
  benchMachine,
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
  topContexts,
  verifyPublished,
  Worker,
} from "../../src/index.ts";
import { TINY } from "../cli/support.ts";
import { python } from "../support.ts";
import { dictionaryOf, isSentence, js, mistakeOf } from "./support.ts";

const PLACE = "gpt_neox.layers[1].mlp";
const TEXT = [
  "The quick brown fox jumps over the lazy dog, and then it sleeps under the old oak tree until the next morning.",
  "A second document of some length, so that a few contexts of sixteen tokens can be cut out of the two of them.",
];

let model: LanguageModel;
let worker: Worker;
let width: number;
let ae: AutoEncoder;
beforeAll(async () => {
  model = await LanguageModel.load(TINY, { device: "cpu", python: await python() });
  worker = model.worker;
  width = model.facts.hidden_size ?? 0;
  ae = await dictionaryOf(worker, width, 24);
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

describe("a dictionary's numbers", () => {
  const row = () => Array.from({ length: width }, () => 0.5);
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
