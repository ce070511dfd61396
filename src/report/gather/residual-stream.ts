import type { SiteSpec } from "../../nnsight/index.ts";
import { withoutCall } from "../../nnsight/module-path.ts";

const BLOCK = /(^|\.)\d+$/;
const EMBEDDING = /(^|\.)(embed_tokens|embed_in|wte|word_embeddings)$/;
/** Parts of a block, and their final matrices, whose outputs are added to the residual stream. */
const WRITER = /(^|\.)\d+\.(mlp|attn|attention|self_attn|self_attention|block_sparse_moe|feed_forward)$/;
const LAST_MATRIX = /\.(o_proj|down_proj|dense_4h_to_h|c_proj|out_proj|fc2|attention\.dense|self_attention\.dense)$/;

/**
 * Why the decoder's columns at a site are not directions of the residual stream, in one sentence; null where they are.
 * Only vectors added to the residual stream reach the unembedding on a direct path. Modules are known by the names that
 * models on the Hugging Face hub give them.
 */
export const noDirectPath = ({ submodule: place, io }: SiteSpec): string | null => {
  const submodule = withoutCall(place);
  const block = BLOCK.test(submodule);
  if (io === "in") {
    return block
      ? null
      : `What ${submodule} reads is not the residual stream itself, so no direct path leads to the logits.`;
  }
  if (block || EMBEDDING.test(submodule) || WRITER.test(submodule) || LAST_MATRIX.test(submodule)) return null;
  return `What ${submodule} puts out is not known to be added to the residual stream, so no direct path to the logits is shown.`;
};
