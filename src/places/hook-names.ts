import type { Provenance } from "../checkpoint/formats/format.ts";

/** Paths of the layers in the model families whose modules TransformerLens names alike. */
const LAYERS = /^(?:gpt_neox\.layers|model\.layers|transformer\.h)\.(\d+)(?:\.(mlp|attention|self_attn|attn))?$/;
/**
 * The models with `model.layers` that have no norm after the MLP and the attention, which TransformerLens would
 * include.
 */
const NO_NORM_BEHIND = /smollm|llama|qwen|mistral/i;
/** BLOOM's MLP returns the residual stream with its own output added. */
const ADDS_RESIDUAL = /bloom/i;

/** TransformerLens's name of a dictionary's input, and of its target if that differs. */
export interface HookNames {
  readonly hookName: string;
  readonly hookNameOut?: string | undefined;
}

/**
 * The names of the places that `submodule` and `io` stand for: TransformerLens's where they certainly are the same
 * tensors, or else the module's path with `.hook_in` or `.hook_out`, as TransformerLens's bridge names a module's two
 * sides.
 */
export const hookNames = ({
  submodule,
  io = "out",
  model = "",
  layer,
  ...stated
}: Provenance): HookNames | undefined => {
  if (stated.hookName !== undefined) return { hookName: stated.hookName, hookNameOut: stated.hookNameOut };
  if (submodule === undefined) return undefined;
  if (!submodule.includes(".")) return { hookName: ofUndotted(submodule, layer) };
  const side = (which: "in" | "out"): string => sideName(submodule, which, model);
  return io === "in_to_out" ? { hookName: side("in"), hookNameOut: side("out") } : { hookName: side(io) };
};

/** dictionary_learning's `submodule_name` is any text; its own scripts write `resid_post_layer_3`. */
const ofUndotted = (name: string, layer: number | undefined): string => {
  const number = /^resid_post(?:_layer_(\d+))?$/.exec(name);
  const known = number?.[1] ?? layer;
  return number === null || known === undefined ? name : `blocks.${known}.hook_resid_post`;
};

const sideName = (submodule: string, side: "in" | "out", model: string): string => {
  const path = submodule.replaceAll(/\[(\d+)\]/g, ".$1");
  const match = LAYERS.exec(path);
  const certain =
    match?.[2] === undefined || (path.startsWith("model.") ? NO_NORM_BEHIND.test(model) : !ADDS_RESIDUAL.test(model));
  if (match === null || !certain) return `${path}.hook_${side}`;
  const block = `blocks.${match[1]}`;
  if (match[2] === undefined) return `${block}.${side === "in" ? "hook_resid_pre" : "hook_resid_post"}`;
  const part = match[2] === "mlp" ? "mlp" : "attn";
  return side === "in" ? `${block}.${part}.hook_in` : `${block}.hook_${part}_out`;
};

/** The layer that a path or a hook's name states. */
export const layerOf = (name: string | undefined): number | undefined => {
  const layer = /[.[](\d+)(?:[.\]]|$)/.exec(name ?? "")?.[1];
  return layer === undefined ? undefined : Number(layer);
};
