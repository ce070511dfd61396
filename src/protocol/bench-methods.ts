import { z } from "zod";
import { method } from "./method.ts";
import { Dtype, float, Handle, int } from "./types.ts";

/**
 * The methods that `dictlearn bench` needs in addition to those of a run, on the `data` channel. The caller times the
 * calls.
 */
export const benchMethods = {
  /** The seconds of each of `repetitions` products of two (size, size) matrices, after an uncounted one. */
  "bench.products": method(
    { device: z.string(), dtype: Dtype, size: int(), repetitions: int() },
    { seconds: z.array(float) },
  ),
  /**
   * Empties a buffer, or marks every row of a source as unread again. Fills a buffer that is not full with copies of
   * its rows or, if it has none, with standard normal numbers. Returns the number of rows that can be drawn.
   */
  "bench.rows": method({ source: Handle, rows: z.enum(["none", "all"]) }, { rows: int() }),
  /** Takes up to `n_contexts` contexts and only counts the positions that are kept. */
  "bench.contexts": method(
    { contexts: Handle, n_contexts: int() },
    { contexts: int(), rows: int(), exhausted: z.boolean(), starved: z.boolean() },
  ),
  /**
   * Sets the encoder's bias so that on the batch drawn last, times `scale`, every feature is active on the same number
   * of rows, and a row has `l0` active features on average. Returns that mean after rounding.
   */
  "bench.sparsify": method(
    { dictionary: Handle, source: Handle, site: int(), scale: z.number(), l0: z.number() },
    { l0: float },
  ),
};
