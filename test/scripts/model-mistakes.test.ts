// Mistakes of plain JavaScript scripts with a model: each is one sentence, and never a different computation.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AutoEncoder } from "../../src/dictionary/index.ts";
import { LanguageModel, type SavedTensor, TraceError, type TraceInvoke } from "../../src/nnsight/index.ts";
import { TINY } from "../cli/support.ts";
import { python } from "../support.ts";
import { dictionaryOf, isSentence, js, mistakeOf } from "./support.ts";

const LAYER = "gpt_neox.layers[1].mlp";
const PROMPT = "The quick brown fox";
const SIZE = 24;

let model: LanguageModel;
let ae: AutoEncoder;
let saved: SavedTensor;
let width: number;
beforeAll(async () => {
  model = await LanguageModel.load(TINY, { device: "cpu", python: await python() });
  width = model.facts.hidden_size ?? 0;
  ae = await dictionaryOf(model.worker, width, SIZE);
  saved = (await model.trace(PROMPT, (t) => ({ x: t.at(LAYER).output.save() }))).x;
});
afterAll(async () => await model.close());

type Case = readonly [title: string, call: () => unknown, message: RegExp];

const all = (cases: readonly Case[], kind: new (...args: never[]) => Error = Error): void => {
  it.each(cases)("%s", async (_, call, message) => {
    const error = await mistakeOf(call);
    expect(error.message).toMatch(message);
    expect(isSentence(error), error.message).toBe(true);
    expect(error).toBeInstanceOf(kind);
  });
};

describe("loading and generating", () => {
  all([
    [
      "a device that is none",
      () => LanguageModel.load(TINY, { worker: model.worker, device: "gpu" }),
      /^LanguageModel.load: device is "gpu", but must be "auto", "cpu", "cuda" or "cuda:N"\.$/,
    ],
    [
      "a dtype that is none",
      () => LanguageModel.load(TINY, { worker: model.worker, dtype: js("fp16") }),
      /^LanguageModel.load: dtype is "fp16", but must be "float32", /,
    ],
    [
      "a key in another spelling",
      () => LanguageModel.load(TINY, js({ worker: model.worker, trust_remote_code: true })),
      /^Unknown option trust_remote_code of LanguageModel.load. Did you mean trustRemoteCode\?$/,
    ],
    [
      "no path",
      () => LanguageModel.load(js(undefined), { worker: model.worker }),
      /^LanguageModel.load: path is missing; it must be a hub id/,
    ],
    [
      "a key of Python's",
      () => model.generate(PROMPT, js({ max_new_tokens: 3 })),
      /^Unknown option max_new_tokens of generate. Did you mean maxNewTokens\?$/,
    ],
    [
      "a key that is in a group",
      () => model.generate(PROMPT, js({ temperature: 2 })),
      /^Unknown option temperature of generate. Did you mean sample.temperature\?$/,
    ],
    [
      "a key of a group",
      () => model.generate(PROMPT, { sample: js({ seed: 1, top_k: 3 }) }),
      /^Unknown option sample.top_k of generate. Did you mean sample.topK\?$/,
    ],
    [
      "a group without what it needs",
      () => model.generate(PROMPT, { sample: js({ topK: 3 }) }),
      /^generate: sample.seed is missing; it must be a whole number/,
    ],
    [
      "a number as text",
      () => model.generate(PROMPT, { maxNewTokens: js("3") }),
      /^generate: maxNewTokens is "3", but must be a whole number above 0\.$/,
    ],
    [
      "fewest above most",
      () => model.generate(PROMPT, { minNewTokens: 9, maxNewTokens: 3 }),
      /^generate: minNewTokens is 9, but maxNewTokens is 3\.$/,
    ],
    [
      "a stop that is no text",
      () => model.generate(PROMPT, { stop: js([3]) }),
      /^generate: stop is \[3\], but must be a text, or a list of texts/,
    ],
    [
      "options that are no object",
      () => model.generate(PROMPT, js(3)),
      /^The options of generate must be an object, but are 3\.$/,
    ],
    [
      "options that are a promise",
      () => model.generate(PROMPT, js(Promise.resolve({}))),
      /^The options of generate must be an object, but are a Promise\.$/,
    ],
    [
      "a signal that is none",
      () => model.generate(PROMPT, { signal: js(new AbortController()) }),
      /^generate: signal is an AbortController, but must be an AbortSignal\.$/,
    ],
    [
      "a prompt that is none",
      () => model.generate(js({ text: PROMPT })),
      /^A prompt is a text, or a list of token ids\.$/,
    ],
    [
      "options of a trace",
      () => model.trace(PROMPT, (t) => t.logits.save(), js({ sginal: 1 })),
      /^Unknown option sginal of trace. Did you mean signal\?$/,
    ],
    [
      "a trace without a callback",
      () => model.trace(PROMPT, js({}) as () => []),
      /^trace: callback is \{\}, but must be a function\.$/,
    ],
    ["a path that is none", () => model.at(js(3)), /^LanguageModel.at: submodule is 3, but must be a text\.$/],
    [
      "sites",
      () => model.widths([js({ submodule: LAYER, oi: "out" })]),
      /^Unknown option oi of a site of LanguageModel.widths. Did you mean io\?$/,
    ],
    [
      "a context length",
      () => model.flops([{ submodule: "gpt_neox.layers.1.mlp", io: "out" }], 1.5),
      /^LanguageModel.flops: ctxLen is 1.5, but must be/,
    ],
    [
      "text of a tokenizer",
      () => model.tokenizer.encode(js(["a"])),
      /^Tokenizer.encode: text is \["a"\], but must be a text\.$/,
    ],
    [
      "options of a tokenizer",
      () => model.tokenizer.encode("a", js({ add_special_tokens: false })),
      /^Unknown option add_special_tokens of Tokenizer.encode. Did you mean specialTokens\?$/,
    ],
    [
      "ids as text",
      () => model.tokenizer.decode(js("12")),
      /^Tokenizer.decode: ids is "12", but must be a list of token ids\.$/,
    ],
    [
      "ids that are no ids",
      () => model.tokenizer.decode([1, 1.5]),
      /^Tokenizer.decode: ids is \[1, 1.5\], but must be a list of token ids\.$/,
    ],
  ]);
});

describe("values of a trace", () => {
  const traced = (record: (t: TraceInvoke) => unknown) => async (): Promise<unknown> =>
    model.trace(PROMPT, record as () => []);
  const output = (use: (x: ReturnType<TraceInvoke["at"]>["output"], t: TraceInvoke) => unknown) =>
    traced((t) => use(t.at(LAYER).output, t));
  all(
    [
      [
        "a range by Python's names",
        output((x) => x.position(js({ start: 1, end: 2 })).save()),
        /position|select: a range takes from and to, but not start. Did you mean from\?$/,
      ],
      [
        "a range with a slip",
        output((x) => x.position(js({ from: 1, too: 2 })).save()),
        /a range takes from and to, but not too. Did you mean to\?$/,
      ],
      ["a range without an end", output((x) => x.position({}).save()), /\{\} is no index: give a whole number/],
      [
        "a range with nothing in it",
        output((x) => x.position({ from: 3, to: 1 }).save()),
        /the range from 3 to 1 is empty/,
      ],
      [
        "a bound as text",
        output((x) => x.position(js({ from: "1" })).save()),
        /from is "1", but must be a whole number$/,
      ],
      ["half an index", output((x) => x.position(0.5).save()), /0.5 is no index/],
      ["an index as text", output((x) => x.batch(js("0")).save()), /"0" is no index/],
      ["no index", output((x) => x.feature(js(undefined)).save()), /undefined is no index/],
      [
        "indices of the wrong kind",
        output((x) => x.feature([0, 1.5]).save()),
        /1.5 in a list of indices is no whole number$/,
      ],
      ["an index of put", output((x) => x.put("feature", js("0"), 1).save()), /put: "0" is no index/],
      [
        "an axis that is none",
        output((x) => x.sum(js("features")).save()),
        /"features" is no axis: give its number, "batch", "position" or "feature"$/,
      ],
      ["axes in an object", output((x) => x.mean(js({ axis: 0 })).save()), /an object with axis is no axis/],
      [
        "a key of torch's",
        output((x) => x.mean("feature", js({ keepdim: true })).save()),
        /mean: Unknown option keepdim of mean. Did you mean keep\?$/,
      ],
      [
        "keep that is no flag",
        output((x) => x.mean("feature", { keep: js(1) }).save()),
        /mean: keep is 1, but must be true or false$/,
      ],
      [
        "an axis in the place of topk's options",
        output((x) => x.topk(3, js(-1)).values.save()),
        /topk: The options of topk must be an object, but are -1$/,
      ],
      [
        "a key of topk",
        output((x) => x.topk(3, js({ dim: 0 })).values.save()),
        /topk: Unknown option dim of topk. Did you mean axis\?$/,
      ],
      [
        "topk of none",
        output((x) => x.topk(0).values.save()),
        /topk: k is 0, but must be a whole number of at least 1$/,
      ],
      ["topk of too many", output((x) => x.topk(10_000).values.save()), /topk: k is 10000, but the dimension has \d+$/],
      [
        "a shape that is none",
        output((x) => x.reshape(js([2, "x"])).save()),
        /reshape: shape is \[2, "x"\], but must be a list of sizes/,
      ],
      [
        "dimensions that are none",
        output((x) => x.permute(js("012")).save()),
        /permute: dims is "012", but must be a list of whole numbers$/,
      ],
      ["a dtype", output((x) => x.to(js("half")).save()), /to: dtype is "half", but must be "float32", /],
      [
        "an operand that is none",
        output((x) => x.add(js([1, 2])).save()),
        /add: \[1, 2\] is neither a value of the trace, nor a saved tensor, nor a number$/,
      ],
      ["an operand that is NaN", output((x) => x.mul(Number.NaN).save()), /mul: NaN is no number to compute with$/],
      [
        "a strength that is NaN",
        output((x, t) => x.steer(t.tensor([1]), Number.NaN)),
        /steer: strength is NaN, but must be a finite number$/,
      ],
      [
        "a vector with NaN",
        output((x, t) => x.steer(t.tensor([1, Number.NaN]))),
        /tensor: NaN stands where a number should$/,
      ],
      [
        "a typed vector with NaN",
        output((x, t) => x.steer(t.tensor({ data: new Float32Array([Number.NaN]), shape: [1] }))),
        /tensor: data is a Float32Array, but must be a Float32Array, .* without NaN$/,
      ],
      ["text in a tensor", traced((t) => t.tensor(js([["a"]])).save()), /tensor: "a" stands where a number should$/],
      [
        "a ragged tensor",
        traced((t) => t.tensor([[1, 2], [3], [4, 5, 6]]).save()),
        /tensor: the lists are not all of one length: a list of 1 stands beside a list of 2$/,
      ],
      [
        "an array of another type",
        traced((t) => t.tensor(js({ data: new Int32Array(2), shape: [2] })).save()),
        /tensor: data is an Int32Array, but must be a Float32Array/,
      ],
      [
        "a shape of a tensor",
        traced((t) => t.tensor({ data: new Float32Array(2), shape: js("2") }).save()),
        /tensor: shape is "2", but must be a list of whole numbers$/,
      ],
      ["a condition that is none", output((x, t) => t.where(js([true]), x, 0).save()), /where: \[true\] is neither/],
      [
        "values to join",
        output((x, t) => t.cat(js(x)).save()),
        /cat: values is a Site, but must be a list of at least one value$/,
      ],
      [
        "what a gradient is of",
        output((x, t) => t.gradient(js(3), x).save()),
        /gradient: of is 3, but must be a value of this trace$/,
      ],
      ["a module's path", traced((t) => t.at(js(1)).output.save()), /at: path is 1, but must be a text$/],
      [
        "an element",
        output((x) => x.element(js(undefined)).save()),
        /element: key is missing; it must be the index of a tuple or the key of a dict$/,
      ],
      [
        "a dictionary that is none",
        output((x) => x.encode(js("ae.pt")).save()),
        /encode: dictionary is "ae.pt", but must be a dictionary, as AutoEncoder.load gives$/,
      ],
      [
        "a feature that the dictionary lacks",
        output((x) => x.clampFeature(ae, SIZE, 1)),
        /clampFeature: there is no feature 24: the dictionary has 24, from 0 on$/,
      ],
      ["half a feature", output((x) => x.ablateFeature(ae, [0, 1.5])), /there is no feature 1.5/],
    ],
    TraceError,
  );

  it("keep what is right: typed arrays of indices, infinities, ranges with one end", async () => {
    const { a, b, c } = await model.trace(PROMPT, (t) => {
      const x = t.at(LAYER).output;
      return {
        a: x.feature(js(new Int32Array([0, 2]))).save(),
        b: x.position({ from: -2 }).save(),
        c: t.where(x.gt(0), x, Number.NEGATIVE_INFINITY).save(),
      };
    });
    expect(a.shape.at(-1)).toBe(2);
    expect(b.shape[1]).toBe(2);
    expect(await c.array()).toContain(Number.NEGATIVE_INFINITY);
  });
});

describe("saved tensors and features", () => {
  all([
    [
      "options in the place of a dimension",
      () => saved.topk(3, js({ axis: 0 })),
      /^topk: dim is an object with axis, but must be a dimension's number, from -3 to 2\.$/,
    ],
    [
      "more than there are",
      () => saved.topk(10_000),
      /^topk: k is 10000, but must be a whole number from 1 to the dimension's \d+\.$/,
    ],
    ["a dimension that it lacks", () => saved.argmax(3), /^argmax: dim is 3, but must be a dimension's number/],
    ["dimensions as text", () => saved.mean(js("0")), /^mean: dims is "0", but must be a dimension's number/],
    [
      "a place",
      () => model.features(js({ module: LAYER }), ae),
      /^Unknown option module of features. Did you mean submodule\?$/,
    ],
    [
      "a side",
      () => model.features({ submodule: LAYER, io: js("output") }, ae),
      /^features: io is "output", but must be "out", "in", "in_to_out"\.$/,
    ],
    [
      "no dictionary",
      () => model.features(LAYER, js(undefined)),
      /^features: dictionary is missing; it must be a dictionary/,
    ],
    [
      "a feature to steer",
      () => model.features(LAYER, ae).steer(SIZE, 1),
      /^steer: feature is 24, but must be the number of a feature, from 0 to 23, or a list of them\.$/,
    ],
    [
      "a strength",
      () => model.features(LAYER, ae).steer(0, Number.NaN),
      /^steer: strength is NaN, but must be a finite number\.$/,
    ],
    [
      "a value to clamp to",
      () => model.features(LAYER, ae).clamp(0, js("1")),
      /^clamp: value is "1", but must be a finite number\.$/,
    ],
    [
      "a metric that is none",
      () => model.features(LAYER, ae).attribution(PROMPT, js("logits")),
      /^attribution: metric is "logits", but must be a function\.$/,
    ],
    [
      "a metric that gives nothing",
      () =>
        model.features(LAYER, ae).attribution(
          PROMPT,
          js(() => 3),
        ),
      /attribution: the metric must return a value of the trace, but returns 3$/,
    ],
    [
      "options of an attribution",
      () =>
        model
          .features(LAYER, ae)
          .attribution(PROMPT, (t) => t.logits.select(0, 0).position(-1).feature(0), js({ metric: 1 })),
      /^Unknown option metric of trace\.$/,
    ],
  ]);
});
