import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AutoEncoder } from "../../src/dictionary/index.ts";
import { evaluate } from "../../src/evaluate/index.ts";
import { LanguageModel } from "../../src/nnsight/index.ts";
import { type PublishedDictionary, type StatedSet, verifyPublished } from "../../src/published/index.ts";
import { compareNumbers, compareStatistics } from "../../src/published/verify/compare.ts";
import type { Worker } from "../../src/worker/index.ts";
import { dictlearn, GOLDEN, TINY, temporaryFolder, tinyRun } from "../cli/support.ts";
import { python, rejection, startWorker } from "../support.ts";

const TEXTS = join(GOLDEN, "texts.jsonl");
const WIDTH = 32;
const FEATURES = 64;
const CONTEXTS = 24;
const ALIVE = 512;
const BUFFER = 48;
/** For each layer, the rank of its dictionary's projection. */
const DIMENSIONS = [24, 16] as const;

/**
 * Dictionaries with known answers: ±q for k orthonormal q, each with one feature, and the others silent. On every row k of
 * 64 features fire, and 2k of them on some row.
 */
const MAKE = `
import json, os, sys, torch
torch.manual_seed(0)
for folder, k in json.loads(sys.argv[1]):
    q = torch.linalg.qr(torch.randn(${WIDTH}, ${WIDTH})).Q[:, :k]
    silent = torch.nn.functional.normalize(torch.randn(${WIDTH}, ${FEATURES} - 2 * k), dim=0)
    encoder = torch.cat([q, -q, 0 * silent], dim=1).T.contiguous()
    bias = torch.cat([torch.zeros(2 * k), -torch.ones(${FEATURES} - 2 * k)])
    state = {"bias": torch.zeros(${WIDTH}), "encoder.weight": encoder, "encoder.bias": bias,
             "decoder.weight": torch.cat([q, -q, silent], dim=1)}
    os.makedirs(folder)
    torch.save(state, f"{folder}/ae.pt")`;

const folder = temporaryFolder();
const registry = join(folder, "registry.json");
const places = DIMENSIONS.map((_, layer) => `tiny-neox/mlp_out_layer${layer}/0_64`);
let worker: Worker;
let set: StatedSet;

/** Measures both dictionaries separately and publishes the results, rounded to three decimals. */
beforeAll(async () => {
  const wanted = places.map((place, layer) => [join(folder, place), DIMENSIONS[layer]]);
  await execa(await python(), ["-c", MAKE, JSON.stringify(wanted)]);
  worker = await startWorker();
  await using model = await LanguageModel.load(TINY, { worker, device: "cpu" });
  const dictionaries: PublishedDictionary[] = [];
  for (const [layer, place] of places.entries()) {
    await using dictionary = await AutoEncoder.load(join(folder, place, "ae.pt"), { worker, device: "cpu" });
    const buffer = { ctx_len: 32, n_ctxs: BUFFER, in_batch_size: 32, out_batch_size: ALIVE };
    const submodule = `gpt_neox.layers.${layer}.mlp`;
    const on = { data: { path: TEXTS }, contexts: CONTEXTS, compat: "ddac948" } as const;
    const { statistics } = await evaluate(dictionary, { model, submodule, buffer, ...on });
    const rounded = (name: keyof typeof statistics) => Number((statistics[name]?.value ?? Number.NaN).toFixed(3));
    dictionaries.push({
      set: "0_64",
      site: `mlp_out_layer${layer}`,
      layer,
      submodule,
      io: "out",
      folder: place,
      activation_dim: WIDTH,
      dictionary_size: FEATURES,
      statistics: {
        mse_loss: rounded("root_mean_square_error"),
        l1_loss: rounded("l1"),
        // Known without measuring.
        l0: DIMENSIONS[layer] ?? 0,
        alive: (2 * (DIMENSIONS[layer] ?? 0)) / FEATURES,
        loss_recovered: rounded("loss_recovered_zero"),
        corrected_mean_square_error: rounded("mean_square_error"),
      },
    });
  }
  set = { name: "0_64", model: TINY, text: "Texts", hyperparameters: { ctx_len: 32 }, dictionaries };
  writeFileSync(registry, JSON.stringify({ sets: [set] }));
});
afterAll(async () => await worker?.close());

const options = [
  "--registry",
  registry,
  "--data",
  TEXTS,
  "--contexts",
  String(CONTEXTS),
  "--alive-tokens",
  String(ALIVE),
  "--buffer-contexts",
  String(BUFFER),
  "--device",
  "cpu",
];

/** Swaps the weights of both layers. */
const swap = (): void => {
  const [first = "", second = ""] = places.map((place) => join(folder, place, "ae.pt"));
  renameSync(first, `${first}.away`);
  renameSync(second, first);
  renameSync(`${first}.away`, second);
};

describe("dictlearn verify", () => {
  it("passes on dictionaries with the published statistics, and says what is unknown", async () => {
    const { stdout, stderr, exitCode } = await dictlearn(["verify", "0_64", folder, ...options]);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/published +measured +95 % interval +difference +in intervals/);
    expect(stdout.match(/ agrees$/gm)).toHaveLength(12);
    expect(stdout).toMatch(/\n0_64 layer 1 \(mlp_out_layer1\) +MSE loss +\d\.\d{3} /);
    expect(stdout).toMatch(/ L0 +16\.000 +16\.0000 /);
    expect(stdout).toMatch(/MSE loss +root of the mean over rows and coordinates/);
    expect(stdout).toMatch(/MSE loss, corrected +mean over rows/);
    expect(stdout).toContain("Which documents of Texts the authors measured on");
  });

  it("fails when a weight file is swapped with its neighbour's, naming layers and columns", async () => {
    swap();
    const { stdout, stderr, exitCode } = await dictlearn(["verify", folder, ...options, "--json"]);
    swap();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/published numbers do not agree/);
    expect(stderr).toMatch(/0_64 layer 0 \(mlp_out_layer0\): MSE loss,[^;]* L0, % Alive/);
    expect(stderr).toMatch(/; 0_64 layer 1 \(mlp_out_layer1\): MSE loss,[^;]* L0, % Alive/);
    const { agrees, dictionaries } = JSON.parse(stdout);
    expect(agrees).toBe(false);
    expect(dictionaries[0].numbers.find(({ column }: { column: string }) => column === "l0")).toMatchObject({
      published: 24,
      measured: 16,
      difference: -8,
      agrees: false,
    });
  });

  const choices = { data: TEXTS, contexts: CONTEXTS, alive_tokens: ALIVE, n_ctxs: BUFFER };

  it("takes the model's own folder, and calls what is there without the rest incomplete", async () => {
    const away = join(folder, "away");
    renameSync(join(folder, dirname(places[0] ?? "")), away);
    const inner = join(folder, "tiny-neox");
    const { stdout, stderr, exitCode } = await dictlearn(["verify", "0_64", inner, ...options, "--json"]);
    const restricted = { set: "0_64", layers: [1], sets: [set], choices, worker, device: "cpu" };
    const restrictedTo = await verifyPublished(inner, restricted);
    renameSync(away, join(folder, dirname(places[0] ?? "")));
    expect(exitCode).toBe(1);
    expect(stderr).toContain("1 of 2 dictionaries are not there and so not compared: 0_64/mlp_out_layer0.");
    expect(stderr).toContain(`dictlearn verify 0_64 ${inner} --layers 1.`);
    const found = JSON.parse(stdout);
    expect(found).toMatchObject({ agrees: false, missing: ["0_64/mlp_out_layer0"] });
    expect(found.dictionaries).toHaveLength(1);
    expect(found.dictionaries[0]).toMatchObject({ site: "mlp_out_layer1", agrees: true, tokens: ALIVE });
    const subject = { model: TINY, data: TEXTS, reserved: false, ctx_len: 32, compat: "ddac948" };
    expect(found.dictionaries[0].subject).toMatchObject(subject);
    expect(restrictedTo).toMatchObject({ agrees: true, missing: [], dictionaries: [{ site: "mlp_out_layer1" }] });
  });

  it("names the option for a text that does not fill the reference's buffer", async () => {
    const long = { ...choices, n_ctxs: 4000 };
    const error = await rejection(verifyPublished(folder, { sets: [set], layers: [1], choices: long, worker }));
    expect(error).toMatchObject({ code: "no_tokens", hint: expect.stringContaining("--buffer-contexts N") });
    expect(error.message).toContain("the reference's buffer of 4000 contexts");
  });

  it("measures what a run trained anew on the text that the run reserved, at the published place", async () => {
    const [place = ""] = places;
    const elsewhere = [{ submodule: "gpt_neox.layers.1.attention", dictionary_size: FEATURES, name: "x" }];
    const run = { ...tinyRun, output: "runs/x", dictionaries: elsewhere, compat: "ddac948" };
    const data = { path: TEXTS, evaluation_every: 4 };
    writeFileSync(join(folder, place, "config.json"), JSON.stringify({ run: { ...run, data } }));
    const how = { set: "0_64", layers: [0], sets: [set], worker, device: "cpu" };
    const { dictionaries } = await verifyPublished(folder, { ...how, choices: { contexts: 4, alive_tokens: 64 } });
    expect(dictionaries).toHaveLength(1);
    const [only] = dictionaries;
    expect(only?.subject).toMatchObject({ submodule: "gpt_neox.layers.0.mlp", reserved: true, compat: "none" });
    expect(only?.numbers.find(({ column }) => column === "l0")).toMatchObject({ measured: 24, agrees: true });
  });

  it("says so when a dictionary has another number of features", async () => {
    const other = { ...set, dictionaries: set.dictionaries.map((each) => ({ ...each, dictionary_size: 65 })) };
    const error = await rejection(
      verifyPublished(folder, { sets: [other], layers: [1], choices: { ...choices, contexts: 2 }, worker }),
    );
    expect(error.message).toMatch(/ae\.pt has 64 features, but the published dictionary 0_64\/mlp_out_layer1 has 65\./);
  });
});

describe("before Python is started, verifyPublished names", () => {
  const empty = temporaryFolder();

  it.each([
    ["a set that there is none of", { set: "0_8129" }, /no published set 0_8129/],
    ["a set without statistics", { set: "10_32768" }, /10_32768 published no statistics/],
    ["a layer that there is none of", { set: "0_8192", layers: [6] }, /no layer or site 6/],
    ["a folder without dictionaries", {}, /has no dictionary of 0_8192 or 1_32768/],
  ])("%s", async (_, wanted, message) => {
    expect((await rejection(verifyPublished(empty, wanted))).message).toMatch(message);
  });

  it("a folder that is not there, a registry of another form, and a slip in a name", async () => {
    const bad = join(empty, "bad.json");
    mkdirSync(join(empty, "tiny"));
    writeFileSync(bad, JSON.stringify({ sets: [{ name: "a" }] }));
    const results = await Promise.all([
      dictlearn(["verify", "0_8192", join(empty, "nowhere")]),
      dictlearn(["verify", "--registry", bad]),
      dictlearn(["verify", "0_8129"]),
    ]);
    expect(results.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2]);
    expect(results[0]?.stderr).toContain("There is no folder");
    expect(results[1]?.stderr).toMatch(/bad\.json is not a registry: at sets\.0\.model/);
    expect(results[2]?.stderr).toMatch(/no published set 0_8129.*\n.*Did you mean 0_8192/);
  });
});

describe("a published number agrees with a measured one", () => {
  it.each([
    [0.056, 0.0564999, null, true],
    [0.056, 0.0565001, null, false],
    // Half a unit, and 2.5 times half of the interval's width: 0.0005 + 2.5 · 0.002.
    [0.056, 0.0614, [0.0594, 0.0634], true],
    [0.056, 0.0616, [0.0596, 0.0636], false],
    [0.063, 0.0625, [0.0625, 0.0625], true],
    [0.5, Number.NaN, null, false],
  ] as const)("%d beside %d in %j: %s", (published, value, interval, agrees) => {
    expect(compareNumbers(published, { value, interval }).agrees).toBe(agrees);
  });

  it("whose formula it has: MSE loss is the root, and its correction is not", () => {
    const statistic = (value: number) => ({ value, interval: null, tokens: 1 });
    const published = { mse_loss: 0.3, l1_loss: 1, l0: 2, alive: 0.5, loss_recovered: 0.9 };
    const measured = { root_mean_square_error: 0.3, mean_square_error: 0.09, l1: 1, l0: 2, alive: 0.5 };
    const all = { ...measured, loss_recovered_zero: 0.9, loss_recovered_mean: 0.1 };
    const statistics = Object.fromEntries(Object.entries(all).map(([name, value]) => [name, statistic(value)]));
    const numbers = compareStatistics({ ...published, corrected_mean_square_error: 0.09 }, statistics);
    expect(numbers.map(({ agrees }) => agrees)).toEqual([true, true, true, true, true, true]);
    expect(compareStatistics({ ...published, mse_loss: 0.09 }, statistics)[0]).toMatchObject({ agrees: false });
    expect(
      compareStatistics(published, { ...statistics, l0: { ...statistic(2.6), interval: [2.4, 2.8] } })[2],
    ).toMatchObject({ column: "l0", agrees: false, in_intervals: expect.closeTo(3, 9) });
  });
});
