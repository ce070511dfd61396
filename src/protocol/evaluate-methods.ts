import { z } from "zod";
import { method } from "./method.ts";
import { FeatureContext, float, Handle, int, LossSums, RowSums, Site, TensorFrame } from "./types.ts";

/** The methods of evaluation, on the `data` channel. */
export const evaluateMethods = {
  /**
   * Sums over the rows of a dictionary at a site: the mean target, and how often each feature fired. `model` null: rows
   * of a source.
   */
  "evaluate.open": method(
    { dictionary: Handle, model: z.nullable(Handle), site: z.nullable(Site) },
    { evaluation: Handle },
  ),
  /**
   * Runs up to `n_contexts` contexts as far as the site. The first `mean_contexts` of them go into the mean target; the
   * first `count_rows[i]` rows into the i-th count of firings.
   */
  "evaluate.gather": method(
    { evaluation: Handle, contexts: Handle, n_contexts: int(), mean_contexts: int(), count_rows: z.array(int()) },
    { contexts: int(), rows: int(), exhausted: z.boolean(), starved: z.boolean() },
  ),
  /** The same for groups of `groups[i]` rows from a source; with `draw` false, the last batch is used again. */
  "evaluate.gather_rows": method(
    { evaluation: Handle, source: Handle, groups: z.array(int()), draw: z.boolean(), count_rows: z.array(int()) },
    {},
  ),
  /** For the i-th count: rows [features] on which each feature fired, and how many groups (contexts) each fired in. */
  "evaluate.firings": method({ evaluation: Handle, count: int() }, { rows: TensorFrame, groups: TensorFrame }),
  /**
   * Runs up to `n_contexts` contexts through the full model: unchanged, with the reconstruction at the site, with zeros
   * and with the mean target. `replace`: only the kept positions, or all of them (the reference's). `losses: false`
   * runs the model only as far as the site.
   */
  "evaluate.contexts": method(
    { evaluation: Handle, contexts: Handle, n_contexts: int(), replace: z.enum(["kept", "all"]), losses: z.boolean() },
    {
      contexts: int(),
      rows: RowSums,
      losses: z.nullable(LossSums),
      exhausted: z.boolean(),
      starved: z.boolean(),
    },
  ),
  /** The sums of groups of `groups[i]` rows from a source; `draw` as above. */
  "evaluate.rows": method(
    { evaluation: Handle, source: Handle, groups: z.array(int()), draw: z.boolean() },
    { rows: RowSums },
  ),
  /**
   * For each of `features`, the contexts of the next batch whose highest activation is above its floor, at most `most`
   * of them, highest first.
   */
  "evaluate.top_contexts": method(
    {
      evaluation: Handle,
      contexts: Handle,
      n_contexts: int(),
      features: z.array(int()),
      floors: z.array(float),
      most: int(),
    },
    { contexts: int(), rows: int(), found: z.array(FeatureContext), exhausted: z.boolean(), starved: z.boolean() },
  ),
};
