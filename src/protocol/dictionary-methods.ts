import { z } from "zod";
import { method } from "./method.ts";
import { Container, Dtype, float, Handle, int, Layout, TensorFrame, TensorInfo } from "./types.ts";

const Norms = z.object({ min: float, mean: float, max: float }).meta({ id: "Norms" });

/** Dictionaries and their files, on the `data` channel. */
export const dictionaryMethods = {
  /** A freshly initialised dictionary. The draws are those of the reference, in its order, from `generator`. */
  "dictionary.create": method(
    { input_width: int(), output_width: int(), size: int(), dtype: Dtype, device: z.string(), generator: Handle },
    { dictionary: Handle },
  ),
  /** Names, shapes and dtypes of a file's tensors, and the metadata text of a safetensors file. Runs no code in it. */
  "tensors.list": method(
    { path: z.string(), container: Container },
    { tensors: z.array(TensorInfo), metadata: z.record(z.string(), z.string()) },
  ),
  /**
   * A dictionary from a file whose tensors have the names and layout of `layout`. `unfolded` names the file in which
   * `dictionary.write` kept the biases that it folded together. `input_bias` tells whether there is a separate one.
   */
  "dictionary.read": method(
    {
      path: z.string(),
      layout: Layout,
      unfolded: z.nullable(z.string()),
      device: z.string(),
      dtype: z.nullable(Dtype),
    },
    {
      dictionary: Handle,
      input_width: int(),
      output_width: int(),
      size: int(),
      dtype: Dtype,
      input_bias: z.enum(["none", "zero", "set"]),
    },
  ),
  /**
   * The reverse, atomically; refuses non-finite weights. Where the layout has no place for an input bias, it is folded
   * into the encoder's, and both are kept unchanged in `unfolded`.
   */
  "dictionary.write": method(
    {
      dictionary: Handle,
      path: z.string(),
      layout: Layout,
      metadata: z.record(z.string(), z.string()),
      unfolded: z.nullable(z.string()),
    },
    { bytes: int() },
  ),
  /** Writes the state_dict atomically, with all biases multiplied by `bias_scale`; refuses non-finite weights. */
  "dictionary.save": method({ dictionary: Handle, path: z.string(), bias_scale: z.number() }, { bytes: int() }),
  /** Multiplies all biases by `factor`: a dictionary of rows x·s becomes one of rows x with factor 1/s. */
  "dictionary.scale_biases": method({ dictionary: Handle, factor: z.number() }, {}),
  "dictionary.encode": method({ dictionary: Handle, rows: TensorFrame }, { features: TensorFrame }),
  "dictionary.decode": method({ dictionary: Handle, features: TensorFrame }, { rows: TensorFrame }),
  "dictionary.forward": method({ dictionary: Handle, rows: TensorFrame }, { rows: TensorFrame, features: TensorFrame }),
  /** Facts from the weights alone. A feature is silent if its encoder row is zero and its bias is not positive. */
  "dictionary.examine": method(
    { dictionary: Handle },
    {
      decoder_norms: Norms,
      encoder_norms: Norms,
      bias_norm: float,
      input_bias_norm: z.nullable(float),
      encoder_bias_mean: float,
      non_finite: z.array(int()),
      silent: z.array(int()),
      without_effect: z.array(int()),
      /** Features with the same encoder row as another one. */
      shared_rows: z.array(int()),
    },
  ),
  /**
   * Means over the batches of a source: the gradient of a loss with respect to the encoder's scale. With e = y − ŷ and
   * v = W_dec f: `alignment` is E[e·v] / d, `unit_alignment` E[e·v / |e|], `l1` E[Σf].
   */
  "dictionary.balance": method(
    { dictionary: Handle, source: Handle, rows: z.array(int()) },
    { rows: int(), mse: float, l1: float, l0: float, alignment: float, unit_alignment: float, silent: int() },
  ),
};
