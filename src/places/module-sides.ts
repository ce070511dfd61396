import { withoutCall } from "../nnsight/module-path.ts";
import { type Block, ModelParts } from "./block.ts";

/** One side of a module: its input or its output. */
export interface ModuleSide {
  readonly submodule: string;
  readonly side: "in" | "out";
}

/** The meaning of a name in a model. */
export type Named =
  /** A module whose side the name does not state. */
  | { readonly module: string }
  /** One tensor, by all module sides that hold it; the usual one first. `unlessRms`: holds only in LayerNorms. */
  | { readonly sides: readonly ModuleSide[]; readonly unlessRms?: boolean };

/**
 * The meaning of a name in a model with these modules: a path, with or without the number of a call (`layers.3#2`),
 * also written `layers[3].mlp` or shortened to a unique suffix; a TransformerLens hook, `blocks.3.hook_resid_post`;
 * `PATH.hook_in` and `PATH.hook_out`; or dictionary_learning's `resid_post_layer_3`. null: none of these.
 */
export const named = (text: string, modules: readonly string[], layer?: number): Named | null => {
  const name = text.replaceAll(/\[(\d+)\]/g, ".$1").replace(/^\./, "");
  const parts = new ModelParts(modules);
  const place = withoutCall(name);
  const path = modulePath(place, modules);
  if (path !== undefined) return { module: `${path}${name.slice(place.length)}` };
  const hook = ofHook(name, parts) ?? ofLearning(name, parts, layer);
  if (hook !== null) return hook.sides.length === 0 ? null : hook;
  const side = /^(.+)\.hook_(in|out)$/.exec(name);
  const submodule = side === null ? undefined : modulePath(side[1] ?? "", modules);
  return submodule === undefined ? null : { sides: [{ submodule, side: side?.[2] as "in" | "out" }] };
};

const modulePath = (name: string, modules: readonly string[]): string | undefined => {
  const known = [name, name.replace(/^model\./, "")].find((each) => each !== "" && modules.includes(each));
  if (known !== undefined) return known;
  // sparsify omits the name of the base model: `layers.3.mlp`.
  const ends = /\d/.test(name) ? modules.filter((path) => path.endsWith(`.${name}`)) : [];
  return ends.length === 1 ? ends[0] : undefined;
};

interface Tensor {
  readonly sides: readonly ModuleSide[];
  readonly unlessRms?: boolean;
}

const ofHook = (name: string, parts: ModelParts): Tensor | null => {
  // TransformerLens's hook_embed includes the scale of Gemma's embeddings; here the scale comes after the module.
  const scaled = parts.block(0)?.gemmaNorm !== undefined;
  if (name === "hook_embed") return outputOf(scaled ? undefined : parts.embedding);
  if (name === "hook_pos_embed") return outputOf(parts.has("transformer.wpe") ? "transformer.wpe" : undefined);
  if (name === "ln_final.hook_normalized") return { ...outputOf(parts.lastNorm), unlessRms: true };
  const found = /^blocks\.(\d+)\.(.+)$/.exec(name);
  const block = found === null ? undefined : parts.block(Number(found[1]));
  const hook = HOOKS[found?.[2] ?? ""];
  if (found === null || block === undefined || hook === undefined) return null;
  return hook(block, parts);
};

const input = (submodule: string | undefined): ModuleSide[] => (submodule ? [{ submodule, side: "in" }] : []);
const output = (submodule: string | undefined): ModuleSide[] => (submodule ? [{ submodule, side: "out" }] : []);
const inputOf = (submodule: string | undefined): Tensor => ({ sides: input(submodule) });
const outputOf = (submodule: string | undefined): Tensor => ({ sides: output(submodule) });

/**
 * TransformerLens's hooks of a block whose tensor is a module's input or output. Its `hook_normalized` includes the
 * norm's weights for the LayerNorms of versions 1 and 2; version 3, and RMSNorms in all versions, hook before the
 * weights. Source: TransformerLens 2.15 and 3.9, `components/transformer_block.py`, `abstract_attention.py`,
 * `layer_norm.py`, `rms_norm.py`.
 */
const HOOKS: Readonly<Record<string, (block: Block, parts: ModelParts) => Tensor>> = {
  hook_resid_pre: ({ path }, parts) => ({ sides: [...input(path), ...output(parts.besides(path).before)] }),
  hook_resid_post: ({ path }, parts) => ({ sides: [...output(path), ...input(parts.besides(path).after)] }),
  hook_resid_mid: (block) => inputOf(block.isSequential ? block.mlpNorm : undefined),
  hook_mlp_in: (block) => inputOf(block.mlpNorm),
  hook_attn_out: (block, parts) =>
    block.normAfterAttention
      ? outputOf(block.normAfterAttention)
      : { sides: [...(parts.addsResidualInside ? [] : output(block.attention)), ...output(block.attentionOutput)] },
  hook_mlp_out: (block, parts) => {
    if (block.normAfterMlp) return outputOf(block.normAfterMlp);
    // MPT's MLP, like BLOOM's, returns the residual stream.
    const whole = parts.addsResidualInside || block.mlp?.endsWith(".ffn") ? undefined : block.mlp;
    return { sides: [...output(whole), ...output(block.mlpOutput)] };
  },
  "attn.hook_z": (block) => inputOf(block.attentionOutput),
  "attn.hook_in": (block) => inputOf(block.attention),
  "attn.hook_out": (block) => outputOf(block.attention),
  "mlp.hook_in": (block) => inputOf(block.mlp),
  "mlp.hook_out": (block) => outputOf(block.mlp),
  "mlp.hook_pre": (block) => outputOf(block.mlpInput),
  "mlp.hook_post": (block) => inputOf(block.mlpOutput),
  "ln1.hook_normalized": (block) => ({
    sides: [...output(block.attentionNorm), ...input(block.attentionNorm && block.attention)],
    unlessRms: true,
  }),
  "ln2.hook_normalized": (block) => ({
    sides: [...output(block.mlpNorm), ...input(block.mlpNorm && block.mlp)],
    unlessRms: true,
  }),
  hook_in: ({ path }) => inputOf(path),
  hook_out: ({ path }) => outputOf(path),
};

/** The names that dictionary_learning's scripts give to modules of Hugging Face models: `resid_post_layer_3`, `embed`. */
const ofLearning = (name: string, parts: ModelParts, layer: number | undefined): Tensor | null => {
  if (name === "embed") return outputOf(parts.embedding);
  const found = /^(resid_pre|resid_post|resid_out|resid|attn_out|attn|mlp_out|mlp)(?:_?layer)?_?(\d+)?$/.exec(name);
  const number = found?.[2] === undefined ? layer : Number(found[2]);
  const block = found === null || number === undefined ? undefined : parts.block(number);
  if (block === undefined) return null;
  const [, kind = ""] = found ?? [];
  if (kind === "resid_pre") return HOOKS.hook_resid_pre?.(block, parts) ?? null;
  if (kind.startsWith("resid")) return HOOKS.hook_resid_post?.(block, parts) ?? null;
  return outputOf(kind.startsWith("attn") ? block.attention : block.mlp);
};
