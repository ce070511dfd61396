import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type LossName, probableLoss } from "../../src/checkpoint/probable-loss.ts";
import { hookNames } from "../../src/places/index.ts";
import { dictlearn, temporaryFolder, writeConfig } from "../cli/support.ts";
import { runTorch } from "./support.ts";

const folder = temporaryFolder();

const inspect = async (...args: string[]) => {
  const { stdout, stderr, exitCode } = await dictlearn(["inspect", ...args]);
  expect(exitCode, stderr).toBe(0);
  return stdout;
};

/** A dictionary with every kind of feature that cannot work, and rows of sparse combinations of 24 directions. */
const MAKE = `
import os
from safetensors.torch import save_file
torch.manual_seed(0); n = torch.randn; os.makedirs(sys.argv[1] + "/dead")
encoder, bias, decoder = n(16, 8), n(16).abs(), n(8, 16)
decoder /= decoder.norm(dim=0)
encoder[1] = 0; bias[1] = 0; encoder[2] = 0; bias[2] = -1; encoder[3] = 0; bias[3] = 2
encoder[4, 5] = float("nan"); decoder[:, 6] = 0; decoder[:, 7] *= 3; encoder[9] = encoder[8]; encoder[12] = encoder[8]
state = {"bias": torch.full((8,), 2.0), "encoder.weight": encoder, "encoder.bias": bias, "decoder.weight": decoder}
torch.save(state, sys.argv[1] + "/dead/ae.pt")
directions = n(24, 12); directions /= directions.norm(dim=1, keepdim=True)
on = (torch.rand(300 * 128, 24) < 0.12) * (0.5 + torch.rand(300 * 128, 24))
save_file({"inputs": (on @ directions).reshape(300, 128, 12)}, sys.argv[1] + "/rows.safetensors")`;

beforeAll(async () => {
  await runTorch(MAKE, folder);
}, 300_000);

describe("dictlearn inspect", () => {
  it("names the features that cannot work, with norms and config", async () => {
    const config = { trainer: { dict_class: "AutoEncoder", lr: 1e-3, lm_name: "a/model", layer: "four" }, mine: [1] };
    writeFileSync(join(folder, "dead", "config.json"), JSON.stringify(config));
    const found = JSON.parse(await inspect(join(folder, "dead"), "--json"));
    expect(found).toMatchObject({
      format: "dictionary_learning",
      input_width: 8,
      output_width: 8,
      size: 16,
      dtype: "float32",
      input_bias: "none",
      silent: [1, 2],
      without_effect: [6],
      non_finite: [4],
      shared_rows: [8, 9, 12],
      config,
    });
    expect(found.decoder_norms.min).toBe(0);
    expect(found.decoder_norms.max).toBeCloseTo(3, 5);
    expect(found.bias_norm).toBeCloseTo(2 * Math.sqrt(8), 6);

    const table = await inspect(join(folder, "dead", "ae.pt"));
    expect(table).toMatch(/^format +dictionary_learning/m);
    expect(table).toMatch(/^never active +2 \(zero encoder row.*: 1, 2$/m);
    expect(table).toMatch(/^not finite +1 .*: 4$/m);
    expect(table).toMatch(/^learning rate +0\.001$/m);
  });

  it.each(["mse", "rmse"] as const)("recognises by rows what was trained with the %s", async (reconstruction_loss) => {
    const rows = join(folder, "rows.safetensors");
    const { file, output } = writeConfig({
      activations: rows,
      device: "cpu",
      resume: "off",
      train: {
        steps: 300,
        lr: 3e-3,
        warmup_steps: 10,
        decay_start: 150,
        sparsity_penalty: 0.02,
        reconstruction_loss,
        resample_steps: null,
        save_steps: null,
      },
      dictionaries: [{ dictionary_size: 32 }],
    });
    const trained = await dictlearn(["train", file]);
    expect(trained.exitCode, trained.stderr).toBe(0);
    const { rows: found } = JSON.parse(await inspect(output, "--rows", rows, "--json"));
    expect(found).toMatchObject({ rows: 38_400, stated_penalty: 0.02, probable_loss: reconstruction_loss });
    expect(found.implied_penalties[reconstruction_loss] / 0.02).toBeCloseTo(1, 0);
    expect(await inspect(output, "--rows", rows)).toMatch(
      new RegExp(`^probable loss +${reconstruction_loss}, whose penalty is nearest the stated 0.02$`, "m"),
    );
  });

  it.each([
    [["--rows", "nowhere.safetensors"], /no file of rows nowhere/],
    [["--penalty", "much"], /--penalty is "much"/],
    [["--penalty", "-1"], /must be a number above 0/],
    [["--rows", join(folder, "rows.safetensors")], /go from 12 to 12 coordinates, but the dictionary from 8 to 8/],
  ])("%j is one sentence", async (args, says) => {
    const { stderr, exitCode } = await dictlearn(["inspect", join(folder, "dead"), ...args]);
    expect(stderr).toMatch(says);
    expect(exitCode).toBeGreaterThan(0);
  });
});

describe("the probable loss", () => {
  // One feature f on one coordinate, y = f·v + e: at a penalised minimum, e follows from the derivative in f's scale.
  const width = 4;
  const [f, v] = [2, 1.5];
  const balanceOf = (e: number) => {
    const along = (e * v) / width;
    return { rows: 1, mse: (e * e) / width, l1: f, l0: 1, alignment: along, unit_alignment: v, silent: 0 };
  };
  const penaltyOf: Record<LossName, (e: number) => number> = {
    mse: (e) => (2 * e * v) / width / f,
    rmse: (e) => (e * v) / width / f / Math.sqrt((e * e) / width),
    norm: () => v / f,
    squared_norm: (e) => (2 * e * v) / f,
  };

  it.each(Object.keys(penaltyOf) as LossName[])("is %s where the weights are at rest under its penalty", (name) => {
    for (const e of [0.1, 0.01]) {
      const stated = penaltyOf[name](e);
      const { probable, penalties } = probableLoss(balanceOf(e), width, stated);
      expect(probable).toBe(name);
      expect(penalties[name]).toBeCloseTo(stated, 12);
    }
  });

  it("is not known without a stated penalty, or far from all", () => {
    expect(probableLoss(balanceOf(0.1), width, undefined).probable).toBeUndefined();
    expect(probableLoss(balanceOf(0.1), width, 1e-9).probable).toBeUndefined();
  });
});

describe("TransformerLens's names", () => {
  it.each([
    [{ submodule: "gpt_neox.layers.1.mlp", io: "out" }, { hookName: "blocks.1.hook_mlp_out" }],
    [{ submodule: "gpt_neox.layers[1].mlp" }, { hookName: "blocks.1.hook_mlp_out" }],
    [{ submodule: "gpt_neox.layers.3", io: "out" }, { hookName: "blocks.3.hook_resid_post" }],
    [{ submodule: "gpt_neox.layers.3", io: "in" }, { hookName: "blocks.3.hook_resid_pre" }],
    [{ submodule: "transformer.h.11.attn" }, { hookName: "blocks.11.hook_attn_out" }],
    [
      { submodule: "gpt_neox.layers.2.mlp", io: "in_to_out" },
      { hookName: "blocks.2.mlp.hook_in", hookNameOut: "blocks.2.hook_mlp_out" },
    ],
    [{ submodule: "model.layers.1.mlp", model: "HuggingFaceTB/SmolLM2-135M" }, { hookName: "blocks.1.hook_mlp_out" }],
    // Its hook_mlp_out is after another norm.
    [{ submodule: "model.layers.1.mlp", model: "google/gemma-2-2b" }, { hookName: "model.layers.1.mlp.hook_out" }],
    [{ submodule: "model.layers.1", model: "google/gemma-2-2b" }, { hookName: "blocks.1.hook_resid_post" }],
    [{ submodule: "gpt_neox.embed_in" }, { hookName: "gpt_neox.embed_in.hook_out" }],
    [{ submodule: "resid_post", layer: 3 }, { hookName: "blocks.3.hook_resid_post" }],
    [{ submodule: "resid_post_layer_5" }, { hookName: "blocks.5.hook_resid_post" }],
    [{ submodule: "somewhere", layer: 3 }, { hookName: "somewhere" }],
    [{ hookName: "blocks.9.hook_z", submodule: "x" }, { hookName: "blocks.9.hook_z" }],
  ] as const)("%j", (provenance, names) => {
    expect(hookNames(provenance)).toEqual(names);
  });

  it("are not made up where nothing is known", () => {
    expect(hookNames({ model: "some/model" })).toBeUndefined();
  });
});
