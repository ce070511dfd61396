import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findFiles, readDictionary } from "../../src/checkpoint/index.ts";
import { AutoEncoder } from "../../src/dictionary/index.ts";
import type { Worker } from "../../src/worker/index.ts";
import { dictlearn, temporaryFolder } from "../cli/support.ts";
import { rejection, startWorker } from "../support.ts";
import { bytes, convert, difference, forward, json, runTorch, someRows, writeSafetensors } from "./support.ts";

const folder = temporaryFolder();
const place = (...parts: string[]): string => join(folder, ...parts);
const NAMES = [
  "tied-float32",
  "tied-float64",
  "tied-bfloat16",
  "unsubtracted",
  "stretcher",
  "stretcher-zero",
  "two-biases",
];
let worker: Worker;

/** State_dicts of every kind, in folders named after them: `NAME/ae.pt`. */
const MAKE = `
import os
torch.manual_seed(0); n = torch.randn
def save(name, dtype, d_in, d_out, extra):
    os.makedirs(f"{sys.argv[1]}/{name}")
    decoder = n(d_out, 40)
    state = {"bias": n(d_out), "encoder.weight": n(40, d_in) * 0.3, "encoder.bias": n(40) * 0.1, "decoder.weight": decoder / decoder.norm(dim=0)}
    if extra == "new": state["decoder.bias"] = state.pop("bias")
    elif extra is not None: state["input_bias"] = extra
    torch.save({key: value.to(dtype) for key, value in state.items()}, f"{sys.argv[1]}/{name}/ae.pt")
for dtype in (torch.float32, torch.float64, torch.bfloat16):
    save(f"tied-{str(dtype)[6:]}", dtype, 12, 12, None)
save("unsubtracted", torch.float32, 12, 12, "new")
save("stretcher", torch.float32, 12, 8, n(12))
save("stretcher-zero", torch.float32, 12, 8, torch.zeros(12))
save("two-biases", torch.float32, 12, 12, n(12))`;

beforeAll(async () => {
  worker = await startWorker();
  await runTorch(MAKE, folder);
  // A config of 2023 has no schema: keys at the top level, and numbers that JavaScript would write differently.
  const config =
    '{"activation_dim": 12, "dictionary_size": 40, "lr": 1.0, "sparsity_penalty": 1e-03, "huge": 9007199254740993}';
  writeFileSync(place("tied-float32", "config.json"), config);
  // Rewritten once by us, so that files can be compared byte for byte; torch checks that their contents are unchanged.
  for (const name of NAMES) await convert(worker, place(name), place("ours", name), "dictlearn");
  const same = `
for name in sys.argv[2:]:
    a, b = (torch.load(f"{sys.argv[1]}{each}/{name}/ae.pt", weights_only=True) for each in ("", "/ours"))
    assert set(a) == set(b) and all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a), name`;
  await runTorch(same, folder, ...NAMES);
}, 300_000);
afterAll(async () => await worker?.close());

describe("a dictionary goes through another format and comes back to the bit", () => {
  it.each([
    ["tied-float32", "sae_lens"],
    ["tied-float64", "sae_lens"],
    ["tied-bfloat16", "sae_lens"],
    ["tied-float32", "dictionary_learning"],
    ["tied-float32", "sparsify"],
    ["tied-bfloat16", "sparsify"],
    ["unsubtracted", "sae_lens"],
    ["unsubtracted", "dictionary_learning"],
    ["unsubtracted", "sparsify"],
    ["stretcher", "sae_lens"],
    ["stretcher-zero", "sae_lens"],
    ["two-biases", "sae_lens"],
    ["two-biases", "dictionary_learning"],
    ["two-biases", "sparsify"],
  ] as const)("%s through %s", async (name, format) => {
    const away = await convert(worker, place(name), place(`${name}-${format}`), format);
    const back = await convert(worker, away, place(`${name}-${format}-back`), "dictlearn");
    expect(bytes(back, "ae.pt")).toBe(bytes(place("ours", name), "ae.pt"));
    if (existsSync(place(name, "config.json"))) {
      expect(bytes(back, "config.json")).toBe(bytes(place(name), "config.json"));
    }
    const rows = someRows(16, 12);
    const [one, other] = [await forward(worker, place(name), rows), await forward(worker, away, rows)];
    expect(difference(one.features.data, other.features.data)).toBeLessThan(1e-6);
    expect(difference(one.reconstruction.data, other.reconstruction.data)).toBeLessThan(1e-6);
  });

  it("and through all of them, one after the other", async () => {
    let path = place("tied-float32");
    for (const format of ["sae_lens", "sparsify", "dictionary_learning", "dictlearn"] as const) {
      path = await convert(worker, path, place("chain", format), format);
    }
    expect(bytes(path, "ae.pt")).toBe(bytes(place("ours", "tied-float32"), "ae.pt"));
    expect(bytes(path, "config.json")).toBe(bytes(place("tied-float32"), "config.json"));
    expect(readdirSync(place("chain")).sort()).toEqual(["dictionary_learning", "dictlearn", "sae_lens", "sparsify"]);
  });
});

describe("a folder of SAELens", () => {
  const cfg = {
    architecture: "standard",
    d_in: 12,
    d_sae: 40,
    dtype: "float32",
    apply_b_dec_to_input: false,
    normalize_activations: "none",
    a_key_of_next_year: [1, { two: 3 }],
    metadata: {
      sae_lens_version: "6.54.0",
      hook_name: "blocks.7.hook_attn_out",
      dataset_path: "some/data",
      note: "mine",
    },
  };
  const tensors = {
    W_enc: { shape: [12, 40] },
    W_dec: { shape: [40, 12] },
    b_enc: { shape: [40] },
    b_dec: { shape: [12] },
  };

  it("keeps unknown keys, its text and its weights byte for byte on the way through every other format", async () => {
    const source = place("sae");
    await writeSafetensors(source, "sae_weights.safetensors", tensors, { author: "somebody" });
    writeFileSync(join(source, "cfg.json"), JSON.stringify(cfg).replace("[1,", "[1.0,"));
    for (const format of ["dictlearn", "dictionary_learning", "sparsify"] as const) {
      const away = await convert(worker, source, place(`sae-${format}`), format);
      const back = await convert(worker, away, place(`sae-${format}-back`), "sae_lens");
      for (const file of ["cfg.json", "sae_weights.safetensors"]) expect(bytes(back, file)).toBe(bytes(source, file));
    }
    const dictionary = json(place("sae-dictionary_learning"), "config.json");
    expect(dictionary.trainer).toMatchObject({ dict_class: "AutoEncoderNew", layer: 7 });
    const read = await readDictionary(worker, place("sae-sparsify"), { device: "cpu" });
    expect(read.provenance).toMatchObject({ hookName: "blocks.7.hook_attn_out", dataset: "some/data" });
  });

  it("of a version before 6 is read, and keeps its keys when the dtype changes", async () => {
    const source = place("sae-old");
    const old = {
      d_in: 12,
      d_sae: 40,
      dtype: "torch.float16",
      hook_point: "blocks.2.hook_mlp_out",
      lr: 4e-4,
      b_dec_init: "mean",
    };
    const half = Object.fromEntries(
      Object.entries(tensors).map(([name, spec]) => [name, { ...spec, dtype: "float16" as const }]),
    );
    await writeSafetensors(source, "sae_weights.safetensors", { ...half, scaling_factor: { shape: [40], value: 1 } });
    writeFileSync(join(source, "cfg.json"), JSON.stringify(old));
    expect((await rejection(AutoEncoder.load(source, { worker }))).message).toMatch(/its tensors are float16/);
    const inspected = await dictlearn(["inspect", source, "--json"]);
    expect(JSON.parse(inspected.stdout)).toMatchObject({ format: "sae_lens", dtype: "float16", size: 40 });
    const target = place("sae-old-32");
    const { exitCode, stderr } = await dictlearn(["convert", source, target, "--to", "SAELens", "--dtype", "float32"]);
    expect(exitCode, stderr).toBe(0);
    expect(json(target, "cfg.json")).toMatchObject({
      ...old,
      dtype: "float32",
      architecture: "standard",
      apply_b_dec_to_input: true,
    });
    await using read = await AutoEncoder.load(target, { worker, device: "cpu" });
    expect(read.shape).toEqual({ inputWidth: 12, outputWidth: 12, size: 40, dtype: "float32" });
  });
});

describe("AutoEncoder.load", () => {
  it("takes a folder, a file of weights or a config, of any format", async () => {
    const sae = await convert(worker, place("tied-float32"), place("load"), "sae_lens");
    const paths = [
      place("tied-float32"),
      place("tied-float32", "ae.pt"),
      sae,
      join(sae, "sae_weights.safetensors"),
      join(sae, "cfg.json"),
    ];
    for (const path of paths) {
      await using dictionary = await AutoEncoder.load(path, { worker, device: "cpu", dtype: "float64" });
      expect(dictionary.shape).toEqual({ inputWidth: 12, outputWidth: 12, size: 40, dtype: "float64" });
    }
  });

  it("finds a checkpoint's config one folder up", async () => {
    const target = await convert(worker, place("tied-float32"), place("run"), "dictionary_learning");
    mkdirSync(join(target, "checkpoints"));
    copyFileSync(join(target, "ae.pt"), join(target, "checkpoints", "ae_10.pt"));
    expect(findFiles(join(target, "checkpoints", "ae_10.pt")).configPath).toBe(join(target, "config.json"));
    rmSync(join(target, "config.json"));
    expect(findFiles(join(target, "checkpoints", "ae_10.pt")).config).toBeUndefined();
  });
});
