import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import type { Layout } from "../../protocol/index.ts";
import { parseKeys, readConfigFile } from "./config-file.ts";
import { type Format, notADictionary, notRepresentable, type Provenance } from "./format.ts";
import { checkTensors, parametersNamed } from "./tensors.ts";

const flag = z.boolean().nullish();

const Keys = z.looseObject({
  d_in: z.int(),
  num_latents: z.int().nullish(),
  expansion_factor: z.int().nullish(),
  k: z.int(),
  activation: z.string().default("topk"),
  signed: flag,
  skip_connection: flag,
  transcode: flag,
});

/**
 * `cfg.json` and `sae.safetensors` of EleutherAI's sparsify. It keeps the k largest of ReLU(W_enc (x − b_dec) + b_enc),
 * so a standard dictionary is the one with k = num_latents, which keeps them all; with `transcode`, nothing is
 * subtracted. Source: eai-sparsify 1.3.3, `sparse_coder.py` and `fused_encoder.py`.
 */
export const sparsify: Format = {
  name: "sparsify",
  title: "cfg.json and sae.safetensors of sparsify, with k = num_latents",
  weights: "sae.safetensors",
  config: "cfg.json",
  container: "safetensors",
  foreignKeys: [],
  read: (source) => {
    const { configPath: path, weights } = source;
    const cfg = parseKeys(Keys, source.config ?? {}, path);
    const size = cfg.num_latents || cfg.d_in * (cfg.expansion_factor ?? 32);
    if (cfg.k !== size) {
      throw notRepresentable(
        `${path} says that only the ${cfg.k} largest of ${size} features are kept, but a standard dictionary keeps every positive one.`,
      );
    }
    if (cfg.skip_connection) {
      throw notRepresentable(`${path} says that it has a skip connection, which a standard dictionary has not.`);
    }
    if (cfg.signed || !["topk", "groupmax"].includes(cfg.activation)) {
      const activation = cfg.signed ? "signed" : cfg.activation;
      throw notRepresentable(`${path} says that the activation is ${activation}, but a standard dictionary has ReLU.`);
    }
    const layout = layoutWith(cfg.transcode ? "zero" : "tied");
    checkTensors(source, layout);
    const shape = source.tensors.find(({ name }) => name === "encoder.weight")?.shape;
    if (shape?.[0] !== size || shape[1] !== cfg.d_in) {
      throw notADictionary(
        weights,
        `encoder.weight is [${shape?.join(", ")}], but ${path} says ${size} features of ${cfg.d_in} coordinates`,
      );
    }
    return { layout };
  },
  provenance: (config, path) => ({
    ...(parseKeys(Keys, config, path).transcode ? { io: "in_to_out" } : {}),
    ...hookpointOf(path),
  }),
  write: ({ inputWidth, outputWidth, size, inputBias }) => {
    if (inputWidth !== outputWidth) {
      throw notRepresentable(
        `sparsify has no dictionary from ${inputWidth} to ${outputWidth} coordinates: d_in is the width of input and output there.`,
        "Convert it to sae_lens, whose transcoders have two widths.",
      );
    }
    const transcode = inputBias !== "none";
    return {
      layout: layoutWith(transcode ? "zero" : "tied"),
      config: {
        activation: "topk",
        expansion_factor: Math.max(1, Math.round(size / inputWidth)),
        normalize_decoder: true,
        num_latents: size,
        k: size,
        multi_topk: false,
        skip_connection: false,
        transcode,
        d_in: inputWidth,
      },
    };
  },
};

/** A module's path that contains a number, as its base model names it. */
const HOOKPOINT = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\.\d+(?:\.\w+)*$/;

/** sparsify names the folder of each dictionary after its hookpoint; the run's config.json above it names the model. */
const hookpointOf = (path: string): Provenance => {
  const folder = dirname(resolve(path));
  const submodule = HOOKPOINT.test(basename(folder)) ? basename(folder) : undefined;
  if (submodule === undefined) return {};
  const run = RunConfig.safeParse(readConfigFile(join(dirname(folder), "config.json"))?.value ?? {});
  return { submodule, ...(run.success && run.data.model ? { model: run.data.model } : {}) };
};
const RunConfig = z.looseObject({ model: z.string().nullish() });

const layoutWith = (input_bias: Layout["input_bias"]): Layout => ({
  container: "safetensors",
  parameters: parametersNamed({
    "encoder.weight": "encoder.weight",
    "encoder.bias": "encoder.bias",
    "decoder.weight": "W_decᵀ",
    bias: "b_dec",
  }),
  input_bias,
  ones: [],
});
