import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { execa } from "execa";
import type { PublishedDictionary, PublishedSet } from "../../src/published/index.ts";
import { python } from "../support.ts";

export const WIDTH = 8;
export const SIZE = 64;

/** Weights as PyTorch writes them; `make` is Python that changes `w`, the four tensors by name. */
export const writeWeights = async (
  files: Readonly<Record<string, string>>,
  width = WIDTH,
  size = SIZE,
): Promise<void> => {
  const lines = Object.entries(files).map(
    ([file, make], index) => `
w = weights(${index})
${make}
torch.save(w, ${JSON.stringify(file)})`,
  );
  for (const file of Object.keys(files)) mkdirSync(dirname(file), { recursive: true });
  const code = `
import torch
def weights(seed):
    g = torch.Generator().manual_seed(seed)
    r = lambda *shape: torch.rand(*shape, generator=g)
    return {"bias": r(${width}), "encoder.weight": r(${size}, ${width}), "encoder.bias": r(${size}), "decoder.weight": r(${width}, ${size})}
${lines.join("\n")}`;
  await execa(await python(), ["-c", code]);
};

/** A set of small dictionaries at the MLPs of these layers. */
export const smallSet = (layers: number, source: PublishedSet["source"], width = WIDTH, size = SIZE): PublishedSet => ({
  name: "small",
  model: "some/model",
  text: "some text",
  source,
  hyperparameters: {
    lr: null,
    lr_in_example: null,
    sparsity_penalty: null,
    warmup_steps: null,
    resample_steps: null,
    steps: null,
    steps_run: null,
    out_batch_size: null,
    ctx_len: null,
    tokens: 1,
    inferred: false,
  },
  ae_bytes: 4 * (2 * width * size + width + size),
  dictionaries: Array.from(
    { length: layers },
    (_, layer): PublishedDictionary => ({
      set: "small",
      site: `mlp_out_layer${layer}`,
      layer,
      submodule: `layers.${layer}.mlp`,
      io: "out",
      folder: `model/mlp_out_layer${layer}/small`,
      activation_dim: width,
      dictionary_size: size,
      statistics: null,
    }),
  ),
});

/** A mirror's folder with that set: weights, configs, and two checkpoints of each. */
export const writeMirror = async (folder: string, layers: number): Promise<void> => {
  const at = (layer: number, file: string): string => join(folder, `model/mlp_out_layer${layer}/small`, file);
  const files = Array.from({ length: layers }, (_, layer) =>
    ["ae.pt", "checkpoints/ae_0.pt", "checkpoints/ae_100.pt"].map((file) => at(layer, file)),
  );
  await writeWeights(Object.fromEntries(files.flat().map((file) => [file, ""])));
  for (let layer = 0; layer < layers; layer++) {
    writeFileSync(at(layer, "config.json"), JSON.stringify({ trainer: { layer } }));
    writeFileSync(at(layer, "notes.txt"), "no file of a dictionary");
  }
};

/** Every file below a folder, hidden ones too, by relative path. */
export const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();
