import { z } from "zod";
import { method } from "./method.ts";
import { Handle, int } from "./types.ts";

/** Resume states, on the `data` channel. */
export const stateMethods = {
  /**
   * Copies the state of a run, and writes the copy to a safetensors file on a separate thread. `rows`: include the rows
   * of the source, as the tokens to recompute them from.
   */
  "state.save": method(
    {
      path: z.string(),
      trainees: z.array(Handle),
      generators: z.array(Handle),
      source: Handle,
      contexts: z.nullable(Handle),
      rows: z.boolean(),
    },
    { write: Handle },
  ),
  /** Whether that file is written and synced (`wait`: once it is), with its size and hash. */
  "state.written": method(
    { write: Handle, wait: z.boolean() },
    { done: z.boolean(), bytes: int(), sha256: z.string() },
  ),
  /**
   * Fills freshly created objects from such a file. `differing` counts the batches of contexts, among all `recomputed`
   * ones, whose rows are not bit-identical to the previous ones. `changed`: names of text files that have changed; the
   * part already read is read again, and must be the same. `notices`: harmless changes, in sentences.
   */
  "state.load": method(
    {
      path: z.string(),
      trainees: z.array(Handle),
      generators: z.array(Handle),
      source: Handle,
      contexts: z.nullable(Handle),
      model: z.nullable(Handle),
      changed: z.array(z.string()),
    },
    { recomputed: int(), differing: int(), notices: z.array(z.string()) },
  ),
};
