import { z } from "zod";
import { method } from "./method.ts";
import { Handle, int } from "./types.ts";

const Device = z
  .object({ name: z.string(), kind: z.string(), total_bytes: int(), free_bytes: int() })
  .meta({ id: "Device" });

/** The process itself and its objects, on the `data` channel. */
export const processMethods = {
  hello: method(
    { schema_hash: z.string(), generation: int() },
    {
      schema_hash: z.string(),
      pid: int(),
      executable: z.string(),
      versions: z.record(z.string(), z.string()),
      devices: z.array(Device),
      threads: int(),
    },
  ),
  /**
   * Sets process-wide options. tf32: CUDA's matrix products may round float32 to 10 bits of mantissa. deterministic: an
   * operation without a deterministic kernel is an error.
   */
  configure: method({ tf32: z.boolean(), deterministic: z.boolean() }, {}),
  /** Frees worker-side objects; unknown ids are an error. */
  release: method({ handles: z.array(Handle) }, {}),
  /** Live objects and memory, for tests and `doctor`. */
  status: method(
    {},
    {
      handles: int(),
      /** Number of these objects by Python class. */
      objects: z.record(z.string(), int()),
      resident_bytes: int(),
      peak_resident_bytes: int(),
    },
  ),
  /** A CPU torch.Generator with this seed. Everything random takes one explicitly. */
  "generator.create": method({ seed: int() }, { generator: Handle }),

  /**
   * Connects to another endpoint, for the JSON messages of pythonia's bridge. `pythonia` is the folder of that
   * package's Python modules.
   */
  "bridge.open": method({ endpoint: z.string(), pythonia: z.string() }, {}),
};
