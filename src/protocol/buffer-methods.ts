import { z } from "zod";
import { method } from "./method.ts";
import { Dtype, FoundFile, Handle, int, Site, SiteWidths, TensorFrame } from "./types.ts";

/** Sources of rows: buffers that a model fills, and cached rows, on the `data` channel. */
export const bufferMethods = {
  /**
   * Preallocates `rows` rows for every site. `randperm-each`: each draw permutes all unread rows; `shuffled`:
   * `buffer.shuffle` permutes them once. `keep_contexts`: remember the tokens of the rows held, for `state.save`.
   */
  "buffer.create": method(
    {
      sites: z.array(Site),
      widths: z.array(SiteWidths),
      rows: int(),
      dtype: Dtype,
      device: z.string(),
      generator: Handle,
      draws: z.enum(["shuffled", "randperm-each"]),
      keep_contexts: z.boolean(),
    },
    { source: Handle },
  ),
  /**
   * Runs up to `n_contexts` contexts through the model, once for all sites, and stores the rows in free slots. forward:
   * stop after the last site that is read (`partial`), or run the full model with its head (`full`). `starved`: a
   * pushed stream has too few documents yet, nothing ran. `exhausted`: no context is left.
   */
  "buffer.append": method(
    {
      source: Handle,
      model: Handle,
      contexts: Handle,
      n_contexts: int(),
      forward: z.enum(["partial", "full"]),
      /** Rows whose norm is above this multiple of the median of the pass are left out. */
      max_norm_multiple: z.nullable(z.number()),
    },
    { contexts: int(), rows: int(), exhausted: z.boolean(), starved: z.boolean() },
  ),
  /** One permutation of the unread rows; the following draws take them in that order. */
  "buffer.shuffle": method({ source: Handle }, {}),
  /**
   * Opens cached rows: `inputs` (and `targets`) of [batches, batch, d] or [rows, d]. Checks that all values are finite.
   */
  "rows.open": method(
    { path: z.string(), out_batch_size: int(), dtype: Dtype, device: z.string() },
    { source: Handle, batches: z.array(int()), widths: SiteWidths, paired: z.boolean(), files: z.array(FoundFile) },
  ),
  /** The next `rows` rows of one site as numbers, for scripts. */
  "source.next": method(
    { source: Handle, site: int(), rows: int() },
    { inputs: TensorFrame, targets: z.nullable(TensorFrame) },
  ),
};
