import { describe, expect, it } from "vitest";
import { hookNames, named, otherPlace, siteOf } from "../../src/places/index.ts";
import { rejection } from "../support.ts";

/** Modules of a small model: two numbered blocks with these parts, and others. */
const modules = (list: string, parts: readonly string[], others: readonly string[] = []): string[] => {
  const tops = list.split(".").map((_, index, all) => all.slice(0, index + 1).join("."));
  const blocks = [0, 1].flatMap((number) => [`${list}.${number}`, ...parts.map((part) => `${list}.${number}.${part}`)]);
  return ["", ...tops, ...blocks, ...others];
};

const NEOX = modules(
  "gpt_neox.layers",
  [
    "input_layernorm",
    "post_attention_layernorm",
    "attention",
    "attention.dense",
    "mlp",
    "mlp.dense_h_to_4h",
    "mlp.dense_4h_to_h",
  ],
  ["gpt_neox.embed_in", "gpt_neox.final_layer_norm"],
);
const LLAMA_PARTS = ["self_attn", "self_attn.o_proj", "mlp", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"];
const LLAMA = modules(
  "model.layers",
  ["input_layernorm", "post_attention_layernorm", ...LLAMA_PARTS],
  ["model.embed_tokens", "model.norm"],
);
const GEMMA2 = modules("model.layers", [
  "input_layernorm",
  "post_attention_layernorm",
  "pre_feedforward_layernorm",
  "post_feedforward_layernorm",
  ...LLAMA_PARTS,
]);
const OLMO2 = modules("model.layers", ["post_attention_layernorm", "post_feedforward_layernorm", ...LLAMA_PARTS]);
const GPT2 = modules(
  "transformer.h",
  ["ln_1", "ln_2", "attn", "attn.c_proj", "mlp", "mlp.c_fc", "mlp.c_proj"],
  ["transformer.wte", "transformer.wpe", "transformer.ln_f"],
);
/** Attention and MLP in parallel, after one norm. */
const GPTJ = modules("transformer.h", ["ln_1", "attn", "attn.out_proj", "mlp", "mlp.fc_in", "mlp.fc_out"]);
const NEO = modules("transformer.h", ["ln_1", "ln_2", "attn", "attn.attention", "attn.attention.out_proj", "mlp"]);
const OPT = modules(
  "model.decoder.layers",
  ["self_attn", "self_attn.out_proj", "self_attn_layer_norm", "final_layer_norm", "fc1", "fc2"],
  ["model.decoder.embed_tokens"],
);
const BLOOM = modules(
  "transformer.h",
  ["input_layernorm", "post_attention_layernorm", "self_attention", "self_attention.dense", "mlp", "mlp.dense_4h_to_h"],
  ["transformer.word_embeddings_layernorm"],
);
const MPT = modules("transformer.blocks", ["norm_1", "norm_2", "attn", "attn.out_proj", "ffn", "ffn.down_proj"]);

const site = async (name: string, of: readonly string[], over: object = {}) => {
  const { submodule, io } = await siteOf({ submodule: name, ...over }, { path: "m", modules: of });
  return `${submodule} ${io}`;
};

describe("the name of a place in another library", () => {
  it.each<[string, readonly string[], string]>([
    ["blocks.1.hook_resid_post", NEOX, "gpt_neox.layers.1 out"],
    ["blocks.1.hook_resid_pre", NEOX, "gpt_neox.layers.1 in"],
    ["blocks.0.hook_resid_pre", LLAMA, "model.layers.0 in"],
    ["blocks.1.hook_mlp_out", NEOX, "gpt_neox.layers.1.mlp out"],
    ["blocks.1.hook_attn_out", NEOX, "gpt_neox.layers.1.attention out"],
    ["blocks.1.attn.hook_z", NEOX, "gpt_neox.layers.1.attention.dense in"],
    ["blocks.1.hook_mlp_in", NEOX, "gpt_neox.layers.1.post_attention_layernorm in"],
    ["blocks.0.ln2.hook_normalized", NEOX, "gpt_neox.layers.0.post_attention_layernorm out"],
    ["blocks.0.ln1.hook_normalized", NEOX, "gpt_neox.layers.0.input_layernorm out"],
    ["ln_final.hook_normalized", NEOX, "gpt_neox.final_layer_norm out"],
    ["blocks.1.mlp.hook_pre", NEOX, "gpt_neox.layers.1.mlp.dense_h_to_4h out"],
    ["blocks.1.mlp.hook_post", NEOX, "gpt_neox.layers.1.mlp.dense_4h_to_h in"],
    ["hook_embed", NEOX, "gpt_neox.embed_in out"],
    ["blocks.1.attn.hook_z", LLAMA, "model.layers.1.self_attn.o_proj in"],
    ["blocks.1.hook_resid_mid", LLAMA, "model.layers.1.post_attention_layernorm in"],
    ["blocks.1.mlp.hook_pre", LLAMA, "model.layers.1.mlp.gate_proj out"],
    ["blocks.1.hook_attn_out", GEMMA2, "model.layers.1.post_attention_layernorm out"],
    ["blocks.1.hook_mlp_out", GEMMA2, "model.layers.1.post_feedforward_layernorm out"],
    ["blocks.1.hook_resid_mid", GEMMA2, "model.layers.1.pre_feedforward_layernorm in"],
    ["blocks.1.hook_attn_out", OLMO2, "model.layers.1.post_attention_layernorm out"],
    ["blocks.1.hook_mlp_out", GPT2, "transformer.h.1.mlp out"],
    ["blocks.1.attn.hook_z", GPT2, "transformer.h.1.attn.c_proj in"],
    ["hook_pos_embed", GPT2, "transformer.wpe out"],
    ["blocks.1.hook_attn_out", GPTJ, "transformer.h.1.attn out"],
    ["blocks.1.attn.hook_z", NEO, "transformer.h.1.attn.attention.out_proj in"],
    ["blocks.1.hook_mlp_out", OPT, "model.decoder.layers.1.fc2 out"],
    ["blocks.1.mlp.hook_pre", OPT, "model.decoder.layers.1.fc1 out"],
    ["blocks.1.hook_mlp_in", OPT, "model.decoder.layers.1.final_layer_norm in"],
    ["blocks.1.hook_attn_out", BLOOM, "transformer.h.1.self_attention.dense out"],
    ["blocks.1.hook_mlp_out", BLOOM, "transformer.h.1.mlp.dense_4h_to_h out"],
    ["blocks.1.hook_mlp_out", MPT, "transformer.blocks.1.ffn.down_proj out"],
    // dictionary_learning's, current and of 2023.
    ["resid_post_layer_1", LLAMA, "model.layers.1 out"],
    ["resid_out_layer1", NEOX, "gpt_neox.layers.1 out"],
    ["resid_pre_layer_1", NEOX, "gpt_neox.layers.1 in"],
    ["attn_out_layer_1", LLAMA, "model.layers.1.self_attn out"],
    ["attn_out_layer_1", GEMMA2, "model.layers.1.self_attn out"],
    ["mlp_out_layer_0", GPT2, "transformer.h.0.mlp out"],
    ["embed", LLAMA, "model.embed_tokens out"],
    // Paths in other notations.
    ["model.layers.1", LLAMA, "model.layers.1 out"],
    ["model.gpt_neox.layers[1].mlp", NEOX, "gpt_neox.layers.1.mlp out"],
    ["layers.1.mlp", NEOX, "gpt_neox.layers.1.mlp out"],
    ["h.1", GPT2, "transformer.h.1 out"],
    ["gpt_neox.layers.1.attention.dense.hook_in", NEOX, "gpt_neox.layers.1.attention.dense in"],
  ])("%s", async (name, of, expected) => {
    expect(await site(name, of)).toBe(expected);
  });

  it.each<[string, readonly string[]]>([
    ["blocks.2.hook_resid_post", NEOX],
    ["blocks.1.hook_resid_mid", NEOX],
    ["blocks.1.hook_mlp_in", GPTJ],
    ["hook_embed", [...GEMMA2, "model.embed_tokens"]],
    ["blocks.1.attn.hook_q", LLAMA],
    ["blocks.1.hook_nothing", LLAMA],
    ["resid_post", LLAMA],
    ["my place", LLAMA],
    ["mlp", LLAMA],
    ["", LLAMA],
  ])("%j is no tensor that a module takes or returns, and says so with file and key", async (name, of) => {
    expect(named(name, of)).toBeNull();
    const error = await rejection(siteOf({ submodule: name, stated_in: "a/cfg.json" }, { path: "m", modules: of }));
    expect(error).toMatchObject({ code: "unknown_place", exitCode: 2, hint: expect.stringContaining("--submodule") });
    expect(error.message).toContain(`a/cfg.json says that the place is ${name} of m`);
  });

  it("is no place of a module where TransformerLens's RMSNorm leaves its weights out", async () => {
    const rms = (answer: boolean) => ({ path: "m", modules: LLAMA, isRms: async () => answer });
    const normalized = { submodule: "blocks.0.ln2.hook_normalized" };
    expect((await rejection(siteOf(normalized, rms(true)))).message).toContain("before the norm's weights");
    expect(await siteOf(normalized, rms(false))).toEqual({
      submodule: "model.layers.0.post_attention_layernorm",
      io: "out",
    });
  });

  it("takes a layer that is stated beside it, and an io where that goes with it", async () => {
    expect(await site("resid_post", LLAMA, { layer: 1 })).toBe("model.layers.1 out");
    expect(await site("model.layers.1.mlp", LLAMA, { io: "in" })).toBe("model.layers.1.mlp in");
    expect(await site("blocks.1.hook_resid_pre", LLAMA, { io: "out" })).toBe("model.layers.0 out");
    const error = await rejection(site("blocks.1.hook_mlp_out", LLAMA, { io: "in" }));
    expect(error.message).toContain("is not what io: in says");
  });

  it.each<[string, string, readonly string[], string | RegExp]>([
    ["blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out", LLAMA, "model.layers.1.mlp in_to_out"],
    ["blocks.1.ln2.hook_normalized", "blocks.1.hook_mlp_out", NEOX, "gpt_neox.layers.1.mlp in_to_out"],
    ["blocks.1.hook_resid_pre", "blocks.1.hook_resid_post", LLAMA, "model.layers.1 in_to_out"],
    ["blocks.1.attn.hook_z", "blocks.1.hook_attn_out", GPT2, "transformer.h.1.attn.c_proj in_to_out"],
    ["blocks.1.hook_mlp_in", "blocks.1.hook_mlp_out", LLAMA, /is not the way from the input to the output of one/],
    ["blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out", GEMMA2, /is not the way/],
  ])("%s → %s", async (submodule, submodule_out, of, expected) => {
    if (typeof expected === "string") expect(await site(submodule, of, { submodule_out })).toBe(expected);
    else expect((await rejection(site(submodule, of, { submodule_out }))).message).toMatch(expected);
  });

  it("is found again from every name that we give to a place", async () => {
    for (const [model, of] of [
      ["EleutherAI/pythia", NEOX],
      ["llama", LLAMA],
      ["gemma-2", GEMMA2],
      ["gpt2", GPT2],
      ["opt", OPT],
    ] as const) {
      for (const submodule of of.filter((path) => path.includes("."))) {
        for (const io of ["out", "in", "in_to_out"] as const) {
          const names = hookNames({ model, submodule, io });
          const back = { submodule: names?.hookName, submodule_out: names?.hookNameOut };
          const found = await siteOf(back, { path: model, modules: of });
          const one = found.submodule === submodule && found.io === io;
          expect(one, `${submodule} ${io}: ${JSON.stringify(names)} → ${JSON.stringify(found)}`).toBe(true);
        }
      }
    }
  });
});

describe("a dictionary at a place", () => {
  const at = (submodule: string, io: "out" | "in" | "in_to_out" = "out") => ({ submodule, io });

  it.each([
    [at("gpt_neox.layers.1.mlp"), at("gpt_neox.layers.1.mlp")],
    [{ submodule: "blocks.1.hook_mlp_out" }, at("gpt_neox.layers.1.mlp")],
    [{ submodule: "blocks.1.hook_resid_pre" }, at("gpt_neox.layers.0")],
    [at("gpt_neox.layers.0"), at("gpt_neox.layers.1", "in")],
    [{ submodule: "resid_post_layer_0" }, at("gpt_neox.layers.0")],
    [{ submodule: "gpt_neox.layers.1.mlp" }, at("gpt_neox.layers.1.mlp", "in")],
    [at("gpt_neox.layers.1.mlp", "in_to_out"), at("gpt_neox.layers.1.mlp", "in_to_out")],
    [{ submodule: "somewhere" }, at("gpt_neox.layers.1.mlp")],
    [{ model: "m" }, at("gpt_neox.layers.1.mlp")],
    [null, at("gpt_neox.layers.1.mlp")],
  ])("%j may be used at %j", (origin, place) => {
    expect(otherPlace(origin, place, NEOX)).toBeNull();
  });

  it.each([
    [
      at("gpt_neox.layers.1.mlp"),
      at("gpt_neox.layers.0.mlp"),
      "the output of gpt_neox.layers.1.mlp, not on the output of gpt_neox.layers.0.mlp",
    ],
    [
      at("gpt_neox.layers.1.mlp"),
      at("gpt_neox.layers.1.mlp", "in"),
      "the output of gpt_neox.layers.1.mlp, not on the input of",
    ],
    [at("gpt_neox.layers.1.mlp", "in_to_out"), at("gpt_neox.layers.1.mlp", "in"), "the way from input to output of"],
    [
      at("gpt_neox.layers.1.mlp", "in"),
      at("gpt_neox.layers.1.mlp", "in_to_out"),
      "the input of gpt_neox.layers.1.mlp, not on the way",
    ],
    [
      { submodule: "gpt_neox.layers.1.mlp" },
      at("gpt_neox.layers.1"),
      "gpt_neox.layers.1.mlp, not on the output of gpt_neox.layers.1",
    ],
    [{ submodule: "resid_post_layer_1" }, at("gpt_neox.layers.0"), "the output of gpt_neox.layers.1, not on"],
  ])("%j may not be used at %j", (origin, place, says) => {
    expect(otherPlace(origin, place, NEOX)).toContain(`The dictionary was trained on ${says}`);
  });
});
