import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type DictionaryOnDisk, dictionariesAt, distinctNames } from "../../src/evaluate/targets.ts";
import { statistic } from "../../src/report/format.ts";
import { type ChosenFeature, chooseFeatures, withNeighbours } from "../../src/report/gather/choose-features.ts";
import { cutContext } from "../../src/report/gather/read-features.ts";
import { noDirectPath } from "../../src/report/gather/residual-stream.ts";
import { readTrainingCurves } from "../../src/report/gather/training-curves.ts";
import { embeddedJson, html } from "../../src/report/html.ts";
import { packReport } from "../../src/report/pack.ts";
import { reportPage } from "../../src/report/page.ts";
import { curvePanel } from "../../src/report/plots/curve-panel.ts";
import { decimalTicks } from "../../src/report/plots/decimal-ticks.ts";
import type { FeatureGroup, ReportedDictionary } from "../../src/report/report-data.ts";
import { temporaryFolder } from "../cli/support.ts";

describe("chooseFeatures", () => {
  const fired = [0, 5, 9, 1, 7, 0, 3, 2];
  const effects = [9, 0.1, 0.2, 0.9, -1, 9, 0.8, 0];

  it("takes the strongest, the most frequent and others in turn, and none that never fired", () => {
    const chosen = chooseFeatures({ fired, effects }, { count: 3, seed: 0 });
    expect(chosen.slice(0, 2)).toEqual([
      { feature: 3, groups: expect.arrayContaining(["loss"]) },
      { feature: 2, groups: expect.arrayContaining(["frequent"]) },
    ]);
    expect(chosen[2]?.groups).toContain("random");
    const all = chooseFeatures({ fired, effects }, { count: 100, seed: 0 }).map(({ feature }) => feature);
    expect(all.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 6, 7]);
  });

  it("adds those that are asked for by number, even if they never fired", () => {
    const chosen = chooseFeatures({ fired, effects }, { named: [5, 2], count: 2, seed: 0 });
    expect(chosen).toMatchObject([
      { feature: 5, groups: ["named"] },
      { feature: 2, groups: expect.arrayContaining(["named", "frequent"]) },
      { feature: 3, groups: ["loss"] },
      { feature: 4 },
    ]);
    expect(chooseFeatures({ fired, effects }, { named: [5, 2], count: 100, seed: 0 })).toHaveLength(7);
  });

  it("says of none why it was chosen where all that fired are there", () => {
    const all = chooseFeatures({ fired, effects }, { named: [5, 2], count: 5, seed: 0 });
    expect(all.map(({ feature }) => feature)).toEqual([5, 2, 3, 6, 1, 7, 4]);
    expect(all.filter(({ groups }) => groups.length > 0)).toEqual([
      { feature: 5, groups: ["named"] },
      { feature: 2, groups: ["named"] },
    ]);
  });

  it("depends on the seed alone, and shows as many as asked for", () => {
    const many = { fired: Array.from({ length: 500 }, () => 1), effects: Array.from({ length: 500 }, (_, i) => i) };
    const once = chooseFeatures(many, { count: 96, seed: 7 });
    expect(once).toHaveLength(96);
    expect(chooseFeatures(many, { count: 96, seed: 7 })).toEqual(once);
    expect(chooseFeatures(many, { count: 96, seed: 8 })).not.toEqual(once);
  });
});

describe("withNeighbours", () => {
  const chosen = [7, 1, 2, 3].map((feature): ChosenFeature => ({ feature, groups: ["loss"] }));
  const fired = Array.from({ length: 20 }, (_, feature) => (feature === 9 ? 0 : 1));
  const near = (lists: Record<number, number[]>, count = 4) =>
    withNeighbours(chosen, new Map(Object.entries(lists).map(([from, to]) => [Number(from), to])), { fired, count });

  it("puts the feature with most links in the place of the last of four, and none that never fired", () => {
    const lists = { 7: [9, 8, 12], 1: [9, 12], 2: [9, 1], 8: [5], 9: [7, 1, 2], 12: [5] };
    expect(near(lists)).toEqual([...chosen.slice(0, 3), { feature: 12, groups: ["near"] }]);
    // Links from a feature count like links to it.
    expect(near({ ...lists, 8: [1, 7] })[3]?.feature).toBe(8);
  });

  it("keeps what was chosen where there are too few, and both reasons of one that was chosen anyway", () => {
    expect(near({ 7: [1], 1: [2], 2: [7], 3: [5] })).toEqual(chosen);
    expect(near({ 7: [3], 1: [2], 2: [7], 3: [5] })[3]?.groups).toEqual(["loss", "near"]);
    expect(near({ 7: [5], 5: [7] }, 3)).toEqual(chosen);
  });
});

describe("cutContext", () => {
  it("keeps the strongest token with what was read before it", () => {
    const tokens = Array.from({ length: 600 }, (_, at) => String(at));
    const at = (peak: number) =>
      cutContext({ tokens, activations: tokens.map((_, index) => (index === peak ? 1 : 0)) });
    expect(at(300)).toMatchObject({ cut: [true, true] });
    expect(at(300).tokens).toEqual(tokens.slice(204, 332));
    expect(at(0)).toMatchObject({ cut: [false, true], tokens: tokens.slice(0, 128) });
    expect(at(599)).toMatchObject({ cut: [true, false], tokens: tokens.slice(472) });
    expect(cutContext({ tokens: ["a"], activations: [1] })).toEqual({
      tokens: ["a"],
      activations: [1],
      cut: [false, false],
    });
  });
});

describe("noDirectPath", () => {
  it.each([
    ["model.layers.1.mlp", "out", true],
    ["gpt_neox.layers.3.attention", "out", true],
    ["transformer.h.2.mlp.c_proj", "in_to_out", true],
    ["gpt_neox.layers.3", "out", true],
    ["gpt_neox.layers.3", "in", true],
    ["gpt_neox.embed_in", "out", true],
    ["model.layers.1.mlp", "in", false],
    ["gpt_neox.layers.0.mlp.dense_h_to_4h", "out", false],
    ["model.layers.1.self_attn.q_proj", "out", false],
    ["model.layers.1.post_attention_layernorm", "out", false],
  ] as const)("%s, %s: %s", (submodule, io, direct) => {
    expect(noDirectPath({ submodule, io }) === null).toBe(direct);
  });
});

describe("readTrainingCurves", () => {
  it("reads logged steps and resamplings, and passes over a line that is not whole", () => {
    const file = join(temporaryFolder(), "metrics.jsonl");
    const lines = [
      '{"step":0,"mse_loss":2,"l0":5,"lr":0.1}',
      '{"event":"resampled","step":1}',
      '{"step":1,"mse_loss":null,"l0":4}',
      '{"step":2,"mse_lo',
    ];
    writeFileSync(file, lines.join("\n"));
    const curves = readTrainingCurves(file);
    expect(curves?.steps).toEqual([0, 1]);
    expect(curves?.values.mse_loss).toEqual([2, null]);
    expect(curves?.resampled).toEqual([1]);
    expect(readTrainingCurves(`${file}.missing`)).toBeNull();
  });

  it("draws a curve with labels as they are, and one that is zero all along", async () => {
    const values = (each: readonly number[]) =>
      ({ mse_loss: each, l0: each, sparsity_loss: each, dead_features: each, lr: each }) as never;
    const curves = { steps: [0, 1], values: values([0.001, 0.004]), resampled: [] };
    const svg = await curvePanel("mse_loss", "Error", [{ index: 0, curves }]);
    expect(svg).toMatch(/>0\.001</);
    const flat = { steps: [0, 1], values: values([0, 0]), resampled: [] };
    expect(await curvePanel("dead_features", "Dead", [{ index: 0, curves: flat }])).not.toContain("NaN");
    // Zeros have no place on the logarithmic scale of losses.
    expect(await curvePanel("mse_loss", "Error", [{ index: 0, curves: flat }])).toBeNull();
  });
});

describe("decimalTicks", () => {
  it.each([
    [
      [0.09, 2.3],
      [0.1, 0.2, 0.5, 1, 2],
    ],
    [
      [133, 229],
      [120, 150, 200, 250],
    ],
    [
      [0.001, 300],
      [0.001, 0.01, 0.1, 1, 10, 100],
    ],
  ] as const)("of %j are %j", (extent, ticks) => {
    expect(decimalTicks(extent)).toEqual(ticks);
  });
});

describe("the page's text", () => {
  it("is escaped in markup and in JSON", () => {
    expect(html`<p title="${'"'}">${"<b>&'"}${null}${false}${[1, html`<i>${"<"}</i>`]}</p>`.text).toBe(
      '<p title="&quot;">&lt;b&gt;&amp;&#39;1<i>&lt;</i></p>',
    );
    const json = embeddedJson(["</script>", "<!--", "\u2028"]).text;
    expect(json).not.toContain("<");
    expect(JSON.parse(json)).toEqual(["</script>", "<!--", "\u2028"]);
  });
});

describe("dictionariesAt", () => {
  const folder = temporaryFolder();
  const make = (...places: string[]) => {
    for (const place of places) {
      mkdirSync(join(folder, dirname(place)), { recursive: true });
      writeFileSync(join(folder, place), "");
    }
  };
  const found = (path: string) =>
    dictionariesAt(join(folder, path)).map(({ weights }) => weights.slice(folder.length + 1));

  it("finds what lies below a folder, as runs and downloads put it, and neither checkpoints nor what is inside of one", () => {
    make("runs/one/ae.pt", "runs/one/checkpoints/ae.pt", "runs/set/mlp_10/ae.pt", "runs/set/mlp_9/ae.pt");
    make("runs/set/mlp_9/resume/ae.pt", "runs/.hidden/ae.pt", "dictionaries/pythia/mlp_out_layer1/0_8192/ae.pt");
    const runs = ["runs/one/ae.pt", "runs/set/mlp_9/ae.pt", "runs/set/mlp_10/ae.pt"];
    expect(found("runs")).toEqual(runs);
    expect(found("")).toEqual(["dictionaries/pythia/mlp_out_layer1/0_8192/ae.pt", ...runs]);
    expect(found("runs/one")).toEqual(["runs/one/ae.pt"]);
    expect(found("runs/one/checkpoints/ae.pt")).toEqual(["runs/one/checkpoints/ae.pt"]);
  });

  it("says so where there is none", () => {
    make("empty/a/b/text.txt");
    expect(() => found("empty")).toThrow(/neither it nor a folder below it has an ae\.pt/);
  });
});

describe("distinctNames", () => {
  it("tells dictionaries of one name apart by their folder, or else by their path", () => {
    const on = (name: string, weights: string) => ({
      name,
      weights,
      config: {},
      configPath: "",
      evaluation: "",
    });
    const names = (...each: DictionaryOnDisk[]) => distinctNames(each).map(({ name }) => name);
    expect(names(on("mlp", "/a/ae.pt"), on("attn", "/b/ae.pt"))).toEqual(["mlp", "attn"]);
    expect(names(on("mlp", "/a/ae.pt"), on("mlp", "/b/ae.pt"), on("x", "/c/ae.pt"))).toEqual(["a", "b", "x"]);
    expect(names(on("mlp", "/a/mlp/ae.pt"), on("mlp", "/b/mlp/ae.pt"))).toEqual(["/a/mlp/ae.pt", "/b/mlp/ae.pt"]);
  });
});

const bare: ReportedDictionary = {
  name: "a & b",
  model: null,
  submodule: null,
  io: null,
  size: 8,
  inputWidth: 4,
  outputWidth: 6,
  evaluation: { whyNot: "There is no <text>." },
  training: null,
  config: null,
  features: { whyNot: "There is no text." },
};

describe("a dictionary without anything beside it", () => {
  it("has a page that says what is missing", async () => {
    const page = await reportPage({ dictionaries: [bare] });
    expect(page).toContain('<h1 id="title">a &amp; b</h1>');
    expect(page).toContain("8 features for 4 → 6 coordinates");
    expect(page).toContain("No statistics: There is no &lt;text&gt;.");
    expect(page).toContain("No features: There is no text.");
    expect(page).toContain("There is no config.json beside the dictionary.");
    expect(packReport({ dictionaries: [bare] }).dictionaries).toEqual([]);
  });
});

describe("what is said of the features that are shown", () => {
  const feature = (number: number, groups: readonly FeatureGroup[], fired = 1) => ({
    feature: number,
    groups,
    fired,
    lossEffect: 0,
    lossEffectWhereItFires: null,
    highest: fired,
    contexts: [],
    neighbours: [],
    promoted: [],
    suppressed: [],
  });
  const dictionary = (name: string, firing: number, features: ReturnType<typeof feature>[]): ReportedDictionary => {
    const read = { tokens: 100, firing, predictions: 90, data: "a/t.txt", trainingText: false, noDirectEffect: null };
    return { ...bare, name, features: { ...read, features } };
  };
  const all = dictionary("all", 2, [feature(1, []), feature(4, [])]);
  const some = dictionary("some", 5, [feature(1, ["loss"]), feature(4, ["random", "near"])]);
  const silent = dictionary("silent", 1, [feature(7, ["named"], 0), feature(1, [])]);

  it.each<[string, ReportedDictionary[], RegExp, FeatureGroup[]]>([
    ["all", [all], /All 2 of 8 features that fired in what was read\. Contexts/, []],
    ["all, and one that never fired", [silent], /All 1 of 8 .* read and 1 of those that did not, asked for/, ["named"]],
    ["all of two dictionaries", [all, all], /All 4 of 16 features/, []],
    [
      "some",
      [some],
      /2 of 8 features: those with the largest loss effect.* often, some at random, and nearest/,
      ["loss", "random", "near"],
    ],
    [
      "both",
      [all, some],
      /4 of 16 features: all that fired of all; of the others those with the largest loss effect/,
      ["loss", "random", "near"],
    ],
  ])("%s", async (_, dictionaries, says, groups) => {
    const page = await reportPage({ dictionaries });
    expect(/<p class="about">([^<]*Contexts[^<]*)</.exec(page)?.[1]).toMatch(says);
    expect([...page.matchAll(/data-group="(\w+)"/g)].map(([, group]) => group)).toEqual(groups);
  });
});

describe("statistic", () => {
  it.each([
    [0.8874, true, "88.7 %"],
    [4607 / 4608, true, "99.97 %"],
    [0.99999, true, "99.99 %"],
    [1, true, "100.0 %"],
    [0.05482123, false, "0.05482"],
    [Number.NaN, true, "undefined"],
  ])("%s (a share: %s) is %s: some dead features are not none", (value, percent, text) => {
    expect(statistic(value, percent)).toBe(text);
  });
});
