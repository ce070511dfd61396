import { z } from "zod";
import { hookNames, layerOf } from "../../places/hook-names.ts";
import { parseKeys } from "./config-file.ts";
import type { JsonObject, Provenance, StoredShape } from "./format.ts";

// Keys that only describe are dropped, not refused, where their values have an unexpected type.
const text = z.string().nullish().catch(undefined);
const number = z.number().nullish().catch(undefined);
const Io = z.enum(["out", "in", "in_to_out"]).nullish().catch(undefined);

/** The keys of dictionary_learning's config.json, and of dictlearn's, that say where a dictionary comes from. */
const Keys = z.looseObject({
  trainer: z
    .looseObject({
      activation_dim: number,
      dict_size: number,
      lm_name: text,
      layer: number,
      sparsity_penalty: number,
      l1_penalty: number,
    })
    .nullish()
    .catch(undefined),
  buffer: z.looseObject({ io: Io, ctx_len: number }).nullish().catch(undefined),
  run: z
    .looseObject({
      data: z.looseObject({ path: text }).nullish(),
      buffer: z.looseObject({ exclude_special_tokens: z.boolean().nullish() }).nullish(),
    })
    .nullish()
    .catch(undefined),
  sparsity_penalty: number,
});

/** Reads the statements of a config.json. Files from 2023 have no fixed format: missing keys are unknown. */
export const readTrainerConfig = (config: JsonObject, path: string): Provenance => {
  const { trainer, buffer, run, sparsity_penalty } = parseKeys(Keys, config, path);
  const submodule = trainer?.submodule_name;
  return {
    model: trainer?.lm_name ?? undefined,
    submodule: typeof submodule === "string" ? submodule : undefined,
    io: buffer?.io ?? undefined,
    layer: trainer?.layer ?? undefined,
    dataset: run?.data?.path ?? undefined,
    contextSize: run?.data ? (buffer?.ctx_len ?? undefined) : undefined,
    excludeSpecialTokens: run?.data ? (run.buffer?.exclude_special_tokens ?? undefined) : undefined,
    sparsityPenalty: trainer?.sparsity_penalty ?? trainer?.l1_penalty ?? sparsity_penalty ?? undefined,
    trainer: trainer ?? undefined,
    buffer: buffer ?? undefined,
  };
};

/** The `trainer` and `buffer` of a config.json for a dictionary from elsewhere. Null where its source does not say. */
export const trainerConfig = (
  { inputWidth, size }: StoredShape,
  provenance: Provenance,
  dictClass: string,
): { trainer: JsonObject; buffer: JsonObject } => {
  const { model, submodule, io, layer, contextSize, sparsityPenalty, trainer = {}, buffer = {} } = provenance;
  const hooks = hookNames(provenance);
  return {
    trainer: {
      trainer_class: null,
      lr: null,
      steps: null,
      warmup_steps: null,
      resample_steps: null,
      sparsity_penalty: sparsityPenalty ?? null,
      l1_penalty: sparsityPenalty ?? null,
      layer: layer ?? layerOf(submodule ?? hooks?.hookName) ?? null,
      lm_name: model ?? null,
      submodule_name: submodule ?? hooks?.hookName ?? null,
      device: null,
      seed: null,
      ...trainer,
      dict_class: dictClass,
      activation_dim: inputWidth,
      dict_size: size,
    },
    buffer: { io: io ?? null, ctx_len: contextSize ?? null, ...buffer, d_submodule: inputWidth },
  };
};
