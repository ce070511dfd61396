import { z } from "zod";
import { benchMethods } from "./bench-methods.ts";
import { bufferMethods } from "./buffer-methods.ts";
import { dictionaryMethods } from "./dictionary-methods.ts";
import { evaluateMethods } from "./evaluate-methods.ts";
import { featureMethods } from "./feature-methods.ts";
import { type Method, method } from "./method.ts";
import { nnsightMethods } from "./nnsight-methods.ts";
import { stateMethods } from "./state-methods.ts";
import { textMethods } from "./text-methods.ts";
import { trainMethods } from "./train-methods.ts";
import { Dtype, Handle, int, Site, SiteWidths } from "./types.ts";

const Device = z
  .object({ name: z.string(), kind: z.string(), total_bytes: int(), free_bytes: int() })
  .meta({ id: "Device" });

/** The methods of the `data` channel, which run one after the other on the thread that owns torch. */
export const dataMethods = {
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
   * Sets what holds for the whole process. tf32: CUDA's matrix products may round float32 to 10 bits of mantissa.
   * deterministic: an operation without a deterministic kernel is an error.
   */
  configure: method({ tf32: z.boolean(), deterministic: z.boolean() }, {}),
  /** Frees worker-side objects; unknown ids are an error. */
  release: method({ handles: z.array(Handle) }, {}),
  /** Live objects and memory, for tests and `doctor`. */
  status: method({}, { handles: int(), resident_bytes: int(), peak_resident_bytes: int() }),
  /** A CPU torch.Generator with this seed. Everything random takes one explicitly. */
  "generator.create": method({ seed: int() }, { generator: Handle }),

  /**
   * Connects to one more endpoint, where the messages of pythonia's bridge travel, as JSON. `pythonia` is the folder of
   * that package's Python modules.
   */
  "bridge.open": method({ endpoint: z.string(), pythonia: z.string() }, {}),

  /** Finds the model (hub id, folder, .gguf file or pypi: wheel), converts it once if needed, and loads it. Reports progress. */
  "model.load": method(
    {
      path: z.string(),
      revision: z.nullable(z.string()),
      device: z.string(),
      dtype: z.nullable(Dtype),
      cache: z.string(),
      /** Whether code that comes with the model may run. */
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
      /** The dotted paths of all modules below the model itself. */
      modules: z.array(z.string()),
    },
  ),
  /** Runs one short context and reports each site's widths; an unknown path is `unknown_submodule` with the nearest ones in its data. */
  "model.widths": method({ model: Handle, sites: z.array(Site) }, { widths: z.array(SiteWidths) }),
  /** Runs one context of `ctx_len` tokens and counts its FLOPs, up to the last site (`partial`) and to the end with the head. */
  "model.flops": method({ model: Handle, sites: z.array(Site), ctx_len: int() }, { partial: int(), full: int() }),

  ...textMethods,
  ...bufferMethods,
  ...dictionaryMethods,
  ...trainMethods,
  ...stateMethods,
  ...evaluateMethods,
  ...featureMethods,
  ...nnsightMethods,
  ...benchMethods,
} satisfies Record<string, Method>;

/** The methods of the `control` channel, answered by a thread of its own while torch is busy. */
export const controlMethods = {
  ping: method({}, { busy: z.nullable(z.string()) }),
  cancel: method({ id: int() }, {}),
  shutdown: method({}, {}),
} satisfies Record<string, Method>;

type Methods = typeof dataMethods & typeof controlMethods;
export type MethodName = keyof Methods;
export type Params<M extends MethodName> = z.input<Methods[M]["params"]>;
export type Result<M extends MethodName> = z.output<Methods[M]["result"]>;
