import { z } from "zod";
import { method } from "./method.ts";
import { Handle, int } from "./types.ts";

/** Resume states, on the `data` channel. */
export const stateMethods = {
  /**
   * Copies what a run has become, and writes the copy to a safetensors file on a thread of its own. `rows`: also which
   * rows the source holds, as the tokens that they are computed from again.
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
   * Fills freshly made objects from such a file. `differing` counts the batches of contexts, of all `recomputed` ones,
   * whose rows are not those of before to the last bit. `changed`: names of text files that are not what they were; what was
   * read of them is read again, and must be the same. `notices`: what changed without harm, in sentences.
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
