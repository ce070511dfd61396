import { z } from "zod";
import { method } from "./method.ts";
import { Dtype, float, Handle, int } from "./types.ts";

/** What `dictlearn bench` needs besides the methods of a run, on the `data` channel. Runs are timed where they are sent from. */
export const benchMethods = {
  /** The seconds of each of `repetitions` products of two (size, size) matrices, after one that is not counted. */
  "bench.products": method(
    { device: z.string(), dtype: Dtype, size: int(), repetitions: int() },
    { seconds: z.array(float) },
  ),
  /**
   * Empties a buffer, or makes every row of a source one that can be drawn again. A buffer that is not full is filled with
   * copies of the rows that it holds or, where it holds none, of standard normal numbers. Answers with the rows that can
   * be drawn.
   */
  "bench.rows": method({ source: Handle, rows: z.enum(["none", "all"]) }, { rows: int() }),
  /** Takes up to `n_contexts` contexts and does nothing with them but count the positions that are kept. */
  "bench.contexts": method(
    { contexts: Handle, n_contexts: int() },
    { contexts: int(), rows: int(), exhausted: z.boolean(), starved: z.boolean() },
  ),
  /**
   * Sets the encoder's bias so that on the batch drawn last, times `scale`, every feature is active on the same number of
   * rows, and a row has `l0` active features in the mean. Answers with that mean after rounding.
   */
  "bench.sparsify": method(
    { dictionary: Handle, source: Handle, site: int(), scale: z.number(), l0: z.number() },
    { l0: float },
  ),
};
