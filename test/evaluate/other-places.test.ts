import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FormatName } from "../../src/checkpoint/index.ts";
import { evaluateFolders } from "../../src/evaluate/evaluate-folders.ts";
import type { EvaluationChoices } from "../../src/evaluate/plan.ts";
import { dictionariesIn } from "../../src/evaluate/targets.ts";
import {
  ActivationBuffer,
  AutoEncoder,
  createReport,
  evaluate,
  LanguageModel,
  topContexts,
  trainSAE,
} from "../../src/index.ts";
import type { Worker } from "../../src/worker/index.ts";
import { GOLDEN, TINY, temporaryFolder } from "../cli/support.ts";
import { convert } from "../formats/support.ts";
import { rejection, startWorker } from "../support.ts";
import { makeDictionaries } from "./support.ts";

const DATA = join(GOLDEN, "texts.jsonl");
const ON: EvaluationChoices = { model: TINY, data: DATA, ctx_len: 32, contexts: 8 };
const MLP = "gpt_neox.layers.1.mlp";

const root = temporaryFolder();
let worker: Worker;
let model: LanguageModel;
let weights: string;
beforeAll(async () => {
  ({ sparse: weights } = await makeDictionaries({ sparse: ["sparse", 32, 0] }));
  worker = await startWorker();
  model = await LanguageModel.load(TINY, { worker, device: "cpu" });
});
afterAll(async () => await worker?.close());

/** A folder as another library writes it: the weights in its format, and its config. */
const folder = async (name: string, format: FormatName, change: (config: Record<string, unknown>) => object) => {
  const plain = join(root, `plain-${name.replace("/", "-")}`);
  mkdirSync(plain);
  cpSync(weights, join(plain, "ae.pt"));
  const path = join(root, name);
  await convert(worker, plain, path, format);
  const config = join(path, format === "dictionary_learning" ? "config.json" : "cfg.json");
  writeFileSync(config, JSON.stringify(change(JSON.parse(readFileSync(config, "utf8")))));
  return path;
};
const saeLens = (name: string, hook: object) =>
  folder(name, "sae_lens", (cfg) => ({ ...cfg, metadata: { model_name: TINY, ...hook } }));
const learning = (name: string, submodule: string) =>
  folder(name, "dictionary_learning", () => ({
    trainer: { dict_class: "AutoEncoder", lm_name: TINY, submodule_name: submodule, layer: 1 },
  }));

const measured = async (path: string, choices: EvaluationChoices = ON) => {
  const [result] = await evaluateFolders(dictionariesIn([path]), worker, { choices, device: "cpu", write: false });
  return result;
};

describe("a folder of another library", () => {
  let loss: Record<string, number>;
  beforeAll(async () => {
    const at = async (submodule: string, io: "in" | "out") => {
      const found = await measured(weights, { ...ON, submodule, io });
      return found?.evaluation.statistics.loss_reconstructed?.value ?? Number.NaN;
    };
    loss = {
      [`${MLP} out`]: await at(MLP, "out"),
      "gpt_neox.layers.1 in": await at("gpt_neox.layers.1", "in"),
      "gpt_neox.layers.1 out": await at("gpt_neox.layers.1", "out"),
      "gpt_neox.layers.1.attention.dense in": await at("gpt_neox.layers.1.attention.dense", "in"),
    };
    expect(new Set(Object.values(loss)).size).toBe(4);
  });

  it.each<[string, () => Promise<string>, string]>([
    ["SAELens", () => saeLens("lens", { hook_name: "blocks.1.hook_mlp_out" }), `${MLP} out`],
    ["SAELens, before a layer", () => saeLens("pre", { hook_name: "blocks.1.hook_resid_pre" }), "gpt_neox.layers.1 in"],
    [
      "SAELens, heads",
      () => saeLens("heads", { hook_name: "blocks.1.attn.hook_z" }),
      "gpt_neox.layers.1.attention.dense in",
    ],
    [
      "SAELens, converted",
      async () => {
        const lens = await saeLens("lens-away", { hook_name: "blocks.1.hook_resid_post" });
        return await convert(worker, lens, join(root, "converted"), "dictlearn");
      },
      "gpt_neox.layers.1 out",
    ],
    ["dictionary_learning", () => learning("dl", "resid_post_layer_1"), "gpt_neox.layers.1 out"],
    ["dictionary_learning, an MLP", () => learning("dl-mlp", "mlp_out_layer_1"), `${MLP} out`],
    [
      "sparsify",
      async () => {
        mkdirSync(join(root, "run"));
        writeFileSync(join(root, "run", "config.json"), JSON.stringify({ model: TINY }));
        return await folder("run/layers.1.mlp", "sparsify", (cfg) => {
          const { dictlearn: _, ...theirs } = cfg as Record<string, unknown>;
          return theirs;
        });
      },
      `${MLP} out`,
    ],
  ])("of %s is measured where it was trained", async (_, make, place) => {
    const path = await make();
    const { model: __, ...choices } = ON;
    const found = await measured(path, choices);
    expect(`${found?.subject.submodule} ${found?.subject.io}`).toBe(place);
    expect(found?.evaluation.statistics.loss_reconstructed?.value).toBe(loss[place]);
  });

  it("of several dictionaries is found with all of them, and has a report", async () => {
    const [found] = dictionariesIn([join(root, "run")]);
    expect(found).toMatchObject({ name: "layers.1.mlp", config: { origin: { submodule: "layers.1.mlp" } } });
    const amounts = { features: 4, contexts: 1, tokens: 64, lossContexts: 2 };
    const { data } = await createReport([join(root, "run"), `${root}/run/./layers.1.mlp`], {
      worker,
      device: "cpu",
      choices: ON,
      ...amounts,
    });
    expect(data.dictionaries).toMatchObject([{ model: TINY, submodule: MLP, io: "out" }]);
  });

  it.each<[string, () => Promise<string>, RegExp]>([
    ["of one head", () => saeLens("head", { hook_name: "blocks.1.attn.hook_z", hook_head_index: 3 }), /hook_z, head 3/],
    [
      "of rotated queries",
      () => saeLens("rot", { hook_name: "blocks.1.attn.hook_rot_q" }),
      /blocks\.1\.attn\.hook_rot_q/,
    ],
    ["of any text", () => learning("any", "my_place"), /my_place/],
  ])("%s says so, and is measured where --submodule says", async (_, make, says) => {
    const path = await make();
    const error = await rejection(measured(path));
    expect(error).toMatchObject({ code: "unknown_place", exitCode: 2 });
    expect(error.message).toMatch(says);
    expect(error.message).toMatch(/(cfg|config)\.json says that the place is/);
    const found = await measured(path, { ...ON, submodule: "blocks.1.hook_mlp_out" });
    expect(found?.evaluation.statistics.loss_reconstructed?.value).toBe(loss[`${MLP} out`]);
  });
});

describe("a dictionary knows where it was trained", () => {
  it("and is refused elsewhere unless that is meant: features, traces, statistics, contexts", async () => {
    const text = ["a few words of text", "and some more of it"];
    await using buffer = await ActivationBuffer.create(text, model, MLP, { n_ctxs: 2, ctx_len: 8, out_batch_size: 4 });
    await using trained = await trainSAE(buffer, {
      dictionary_size: 8,
      steps: 1,
      warmup_steps: 0,
      resample_steps: null,
    });
    expect(trained.origin).toEqual({ model: TINY, submodule: MLP, io: "out" });
    await using loaded = await AutoEncoder.load(join(root, "lens"), { worker, device: "cpu" });
    expect(loaded.origin).toMatchObject({ model: TINY, submodule: "blocks.1.hook_mlp_out" });
    const other = "gpt_neox.layers.0.mlp";
    const on = { model, data: text, buffer: { ctx_len: 8 } };
    for (const ae of [trained, loaded]) {
      const uses: readonly ((submodule: string, over?: { transfer: true }) => Promise<unknown>)[] = [
        async (submodule, over) => model.features({ submodule, ...over }, ae),
        async (submodule, over) => await evaluate(ae, { ...on, submodule, ...over }),
        async (submodule, over) => await topContexts(ae, { ...on, submodule, features: [0], tokens: 8, ...over }),
        async (submodule, over) =>
          await model.trace("a word", (t) => ({ f: t.at(submodule).output.position(-1).encode(ae, over).save() })),
        async (submodule, over) =>
          await model.trace("a word", (t) => t.at(submodule).output.ablateFeature(ae, 0, over) ?? {}),
      ];
      for (const use of uses) {
        await use(MLP);
        const error = await rejection(use(other));
        expect(error).toMatchObject({ code: "other_place" });
        expect(error.message).toContain(`was trained on the output of ${MLP}, not on the output of ${other}`);
        expect((error as { hint?: string }).hint).toContain("transfer: true");
        await use(other, { transfer: true });
      }
    }
    // A value is not a place.
    await model.trace("a word", (t) => ({ f: t.at(other).output.mul(2).encode(loaded).save() }));
  });

  it("and evaluate takes another --submodule with --transfer alone", async () => {
    const lens = join(root, "lens");
    const error = await rejection(measured(lens, { ...ON, submodule: "gpt_neox.layers.0.mlp" }));
    expect(error).toMatchObject({ code: "other_place", exitCode: 2 });
    const moved = await measured(lens, { ...ON, submodule: "gpt_neox.layers.0.mlp", transfer: true });
    expect(moved?.subject.submodule).toBe("gpt_neox.layers.0.mlp");
  });
});
