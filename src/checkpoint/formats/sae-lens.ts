import { z } from "zod";
import { hookNames, layerOf } from "../../places/hook-names.ts";
import type { Layout } from "../../protocol/index.ts";
import { parseKeys } from "./config-file.ts";
import { type Format, type JsonObject, notADictionary, notRepresentable, type Source } from "./format.ts";
import { checkTensors, parametersNamed } from "./tensors.ts";

/** The release whose cfg.json format is written; SAELens migrates files from versions before 6. */
const VERSION = "6.54.0";

const text = z.string().nullish();
// Keys that only describe are dropped, not refused, where their values have an unexpected type.
const described = text.catch(undefined);
const where = {
  model_name: described,
  hook_name: described,
  hook_name_out: described,
  hook_head_index: z.number().nullish().catch(undefined),
  dataset_path: described,
  context_size: z.number().nullish().catch(undefined),
  exclude_special_tokens: z
    .union([z.boolean(), z.array(z.number())])
    .nullish()
    .catch(undefined),
};
const flag = z.boolean().nullish();

/** The settings that SAELens computes with, since version 6 and before; other keys are ignored. */
const Keys = z.looseObject({
  architecture: z.string().default("standard"),
  d_in: z.int(),
  d_sae: z.int(),
  d_out: z.int().nullish(),
  dtype: z.string().default("float32"),
  apply_b_dec_to_input: flag,
  normalize_activations: z.union([z.string(), z.boolean()]).nullish(),
  activation_fn: text,
  activation_fn_str: text,
  finetuning_scaling_factor: flag,
  hook_point: described,
  l1_coefficient: z.number().nullish().catch(undefined),
  metadata: z.looseObject({ ...where, training_architecture_details: z.looseObject({}).nullish() }).nullish(),
  ...where,
});
type Cfg = z.output<typeof Keys>;

/**
 * `cfg.json` and `sae_weights.safetensors` of SAELens, architectures `standard` and `transcoder`:
 * f = ReLU((x − b_dec·apply_b_dec_to_input) W_enc + b_enc), ŷ = f W_dec + b_dec, with W_enc (d, m) and W_dec (m, d).
 * Source: SAELens 6.54, `saes/standard_sae.py` and `saes/transcoder.py`.
 */
export const saeLens: Format = {
  name: "sae_lens",
  title: "cfg.json and sae_weights.safetensors of SAELens, architecture standard or transcoder",
  weights: "sae_weights.safetensors",
  config: "cfg.json",
  container: "safetensors",
  // SAELens drops unknown keys of the config itself, and keeps those of its metadata.
  foreignKeys: ["metadata"],
  read: (source) => {
    const cfg = parseKeys(Keys, source.config ?? {}, source.configPath);
    refuseOtherComputations(cfg, source.configPath);
    const transcoder = cfg.architecture === "transcoder";
    const subtracts = transcoder ? false : (cfg.apply_b_dec_to_input ?? true);
    // Written as ones in some versions, and dropped on loading.
    const ones = source.tensors.some(({ name }) => name === "scaling_factor") ? ["scaling_factor"] : [];
    const layout = layoutWith(subtracts ? "tied" : "zero", ones);
    checkTensors(source, layout);
    checkWidths(cfg, source);
    return { layout, dtype: cfg.dtype.replace("torch.", "") };
  },
  provenance: (config, path) => {
    const cfg = parseKeys(Keys, config, path);
    const meta = { ...cfg, hook_name: cfg.hook_name ?? cfg.hook_point, ...cfg.metadata };
    const penalty = cfg.l1_coefficient ?? cfg.metadata?.training_architecture_details?.l1_coefficient;
    const special = meta.exclude_special_tokens;
    return {
      model: meta.model_name ?? undefined,
      hookName: meta.hook_name ?? undefined,
      headIndex: meta.hook_head_index ?? undefined,
      hookNameOut: meta.hook_name_out ?? undefined,
      io: meta.hook_name_out || cfg.architecture === "transcoder" ? "in_to_out" : undefined,
      layer: layerOf(meta.hook_name ?? undefined),
      dataset: meta.dataset_path ?? undefined,
      contextSize: meta.context_size ?? undefined,
      excludeSpecialTokens: typeof special === "boolean" ? special : undefined,
      sparsityPenalty: typeof penalty === "number" ? penalty : undefined,
    };
  },
  write: (shape, provenance) => {
    const { inputWidth, outputWidth, size, dtype, inputBias } = shape;
    const subtracts = inputBias === "none";
    const transcoder = inputWidth !== outputWidth || (provenance.io === "in_to_out" && !subtracts);
    const { model, dataset, contextSize, excludeSpecialTokens } = provenance;
    const { hookName, hookNameOut } = hookNames(provenance) ?? {};
    const metadata: JsonObject = {
      sae_lens_version: VERSION,
      sae_lens_training_version: null,
      ...(model === undefined ? {} : { model_name: model, model_class_name: "HookedTransformer" }),
      ...(hookName === undefined ? {} : { hook_name: hookName, hook_head_index: null }),
      ...(hookNameOut === undefined ? {} : { hook_name_out: hookNameOut }),
      ...(dataset === undefined ? {} : { dataset_path: dataset }),
      ...(contextSize === undefined ? {} : { context_size: contextSize }),
      ...(excludeSpecialTokens === undefined ? {} : { exclude_special_tokens: excludeSpecialTokens }),
    };
    return {
      layout: layoutWith(subtracts ? "tied" : "zero", []),
      config: {
        d_in: inputWidth,
        d_sae: size,
        ...(transcoder ? { d_out: outputWidth } : {}),
        dtype,
        device: "cpu",
        apply_b_dec_to_input: subtracts,
        normalize_activations: "none",
        reshape_activations: "none",
        metadata,
        architecture: transcoder ? "transcoder" : "standard",
      },
    };
  },
};

const layoutWith = (input_bias: Layout["input_bias"], ones: string[]): Layout => ({
  container: "safetensors",
  parameters: parametersNamed({
    "encoder.weight": "W_encᵀ",
    "encoder.bias": "b_enc",
    "decoder.weight": "W_decᵀ",
    bias: "b_dec",
  }),
  input_bias,
  ones,
});

const refuseOtherComputations = (cfg: Cfg, path: string): void => {
  if (cfg.architecture !== "standard" && cfg.architecture !== "transcoder") {
    throw notRepresentable(
      `${path} says that the architecture is ${cfg.architecture}, but dictlearn knows standard and transcoder.`,
    );
  }
  const activation = cfg.activation_fn ?? cfg.activation_fn_str ?? "relu";
  if (activation !== "relu") {
    throw notRepresentable(
      `${path} says that the activation function is ${activation}, but a standard dictionary has relu.`,
    );
  }
  const normalize = cfg.normalize_activations ?? "none";
  if (normalize !== "none" && normalize !== false) {
    throw notRepresentable(
      `${path} says normalize_activations: ${normalize}, so the weights are meant for rows that are changed first in a way that no file of weights holds.`,
      "Fold the normalisation into the weights with SAELens, which then saves it as none.",
    );
  }
  if (cfg.finetuning_scaling_factor) {
    throw notRepresentable(
      `${path} says that the features are scaled by a finetuning factor, which a standard dictionary has not.`,
    );
  }
};

const checkWidths = ({ architecture, d_in, d_out, d_sae }: Cfg, { tensors, weights, configPath }: Source): void => {
  const wIn = tensors.find(({ name }) => name === "W_enc")?.shape;
  const wOut = tensors.find(({ name }) => name === "W_dec")?.shape[1];
  const output = architecture === "transcoder" ? (d_out ?? d_in) : d_in;
  if (wIn?.[0] === d_in && wIn[1] === d_sae && wOut === output) return;
  throw notADictionary(
    weights,
    `W_enc is [${wIn?.join(", ")}] and W_dec ends in ${wOut}, but ${configPath} says ${d_in} to ${output} coordinates and ${d_sae} features`,
  );
};
