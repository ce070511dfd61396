import { z } from "zod";

/** An integer that fits a 64-bit signed integer in the worker and a safe integer here. */
export const int = () => z.int();
/** Any float64, NaN and the infinities included: a metric can be one. */
export const float = z.custom<number>((value) => typeof value === "number").meta({ id: "Float" });

/** An object that lives in the worker. `generation` counts worker processes, so a handle never outlives its own. */
export const Handle = z.object({ id: int(), generation: int() }).meta({ id: "Handle" });
export type HandleRef = z.output<typeof Handle>;

/** The progress of a long call. `total` is 0 where unknown. */
export const Progress = z.object({ stage: z.string(), done: int(), total: int() }).meta({ id: "Progress" });
export type Progress = z.output<typeof Progress>;

/** A tensor in a raw frame after the envelope: C-contiguous, little-endian. */
export const TensorFrame = z
  .object({ frame: int(), shape: z.array(int()), dtype: z.enum(["float32", "float64", "int64"]) })
  .meta({ id: "TensorFrame" });

/** Every `every`th document is reserved for evaluation: `evaluation` takes these, `training` all others. */
export const Part = z.object({ every: int(), take: z.enum(["training", "evaluation"]) }).meta({ id: "Part" });
export type Part = z.output<typeof Part>;

/**
 * A file on the worker's disk: its absolute path, and its path relative to the given folder, empty if the file itself
 * was given.
 */
export const FoundFile = z.object({ name: z.string(), path: z.string() }).meta({ id: "FoundFile" });
export type FoundFile = z.output<typeof FoundFile>;

export const Dtype = z.enum(["float32", "float64", "bfloat16"]);
const Io = z.enum(["out", "in", "in_to_out"]);

/** Where activations are read: a dotted module path, and the side of the module. */
export const Site = z.object({ submodule: z.string(), io: Io }).meta({ id: "Site" });

/** The rows of one site: those that the dictionary reads (`input_width`) and reconstructs (`output_width`). */
export const SiteWidths = z.object({ input_width: int(), output_width: int() }).meta({ id: "SiteWidths" });

/** The terms of the loss. Sources: mse and l1, Bricken et al. 2023; rmse and entropy, dictionary_learning ddac948. */
export const Loss = z
  .object({ reconstruction: z.enum(["mse", "rmse"]), sparsity: z.enum(["l1", "entropy"]) })
  .meta({ id: "Loss" });

/** Adam's constants; the rate comes with every step. */
export const Adam = z
  .object({ beta1: z.number(), beta2: z.number(), epsilon: z.number(), fused: z.boolean() })
  .meta({ id: "Adam" });

/** How dead features are resampled; each field is a key of the config's `train`, and is described there. */
export const Resampling = z
  .object({
    among: z.enum(["held", "batch"]),
    /** Maximum number of rows considered, if `held`. */
    rows: int(),
    /** Rows whose losses are computed at once. */
    chunk_rows: int(),
    probability: z.enum(["squared-loss", "error-norm"]),
    replacement: z.boolean(),
    encoder: z.enum(["sampled-input", "mean-alive"]),
    renormalize: z.enum(["resampled", "all"]),
    moments: z.enum(["all", "encoder"]),
    all_dead: z.enum(["fresh", "stop"]),
  })
  .meta({ id: "Resampling" });
export type Resampling = z.output<typeof Resampling>;

/**
 * Sums over the kept positions (rows) of each context, one entry per context. y is the target, ŷ its reconstruction, ȳ
 * the mean of y over all rows, f the features.
 */
export const RowSums = z
  .object({
    rows: z.array(int()),
    /** Σ |y − ŷ|² */
    squared_error: z.array(float),
    /** Σ |y − ȳ|² */
    squared_deviation: z.array(float),
    /** Σ |f|₁ */
    l1: z.array(float),
    /** Σ |{i : f_i ≠ 0}| */
    l0: z.array(float),
    /** Rows with y ≠ 0, which have a direction. */
    directed_rows: z.array(int()),
    /** Σ y·ŷ / (|y| |ŷ|), over the directed rows. */
    cosine: z.array(float),
    /** Σ |ŷ| / |y|, over the directed rows. */
    relative_norm: z.array(float),
  })
  .meta({ id: "RowSums" });
export type RowSums = z.output<typeof RowSums>;

/** Sums over the predictions of each context, one entry per context: cross-entropies in nats of the next token. */
export const LossSums = z
  .object({
    predictions: z.array(int()),
    original: z.array(float),
    reconstructed: z.array(float),
    zero: z.array(float),
    mean: z.array(float),
    /** Positions whose distribution over the next token is compared. */
    positions: z.array(int()),
    /** Σ KL(original ‖ reconstructed) */
    divergence: z.array(float),
  })
  .meta({ id: "LossSums" });
export type LossSums = z.output<typeof LossSums>;

/** A feature's activations in one context: its tokens, and the activation at each position. */
export const FeatureContext = z
  .object({
    feature: int(),
    /** Number of the context in the batch. */
    context: int(),
    highest: float,
    tokens: z.array(int()),
    /** The tokens as text; parts of a character become U+FFFD. */
    text: z.array(z.string()),
    activations: z.array(float),
  })
  .meta({ id: "FeatureContext" });

/** The numbers of consecutive steps of one dictionary, computed in advance by the schedules. */
export const StepNumbers = z
  .object({
    trainee: Handle,
    /** Index of the dictionary's site in the source. */
    site: int(),
    /** Number of the first of these steps. */
    first_step: int(),
    /** The rows are multiplied by this before the step. */
    scale: z.number(),
    lr: z.array(z.number()),
    sparsity_penalty: z.array(z.number()),
    loss: Loss,
    adam: Adam,
    /** Which features count as fired: those of the step's own forward pass, or of a second one with the updated weights. */
    fired: z.enum(["forward", "updated"]),
    /** The dtype of the matrix products, where it is not the dictionary's own. */
    autocast: z.nullable(z.enum(["bfloat16"])),
  })
  .meta({ id: "StepNumbers" });
export type StepNumbers = z.output<typeof StepNumbers>;

/** The two kinds of files that hold tensors: PyTorch's format, read without running code, and safetensors. */
export const Container = z.enum(["pt", "safetensors"]);

/** One tensor of a file. `dtype` is torch's name, `float32`. */
export const TensorInfo = z
  .object({ name: z.string(), shape: z.array(int()), dtype: z.string() })
  .meta({ id: "TensorInfo" });
export type TensorInfo = z.output<typeof TensorInfo>;

/** The name of one parameter of a dictionary in a file, and whether its matrix is stored transposed. */
const StoredParameter = z
  .object({
    name: z.string(),
    parameter: z.enum(["input_bias", "bias", "encoder.weight", "encoder.bias", "decoder.weight"]),
    transposed: z.boolean(),
  })
  .meta({ id: "StoredParameter" });

/**
 * The layout of a dictionary in a file. `input_bias`, which is subtracted before encoding: `tied`, it is the decoder's
 * bias; `zero`, nothing is subtracted; `own`, it is a separate tensor. `ones` names tensors that must hold only ones.
 */
export const Layout = z
  .object({
    container: Container,
    parameters: z.array(StoredParameter),
    input_bias: z.enum(["tied", "zero", "own"]),
    ones: z.array(z.string()),
  })
  .meta({ id: "Layout" });
export type Layout = z.output<typeof Layout>;

/** Prompts: texts, or token ids; one of the two is null. */
export const Prompts = z
  .object({ texts: z.nullable(z.array(z.string())), tokens: z.nullable(z.array(z.array(int()))) })
  .meta({ id: "Prompts" });

/** Why a continuation ended: its length, the end-of-text token, or a requested stop text. */
export const StopReason = z.enum(["length", "end", "text"]);

/** A tensor of a module's input or output. `at`: the indices and keys of its place, empty for the value itself. */
const ModuleTensor = z
  .object({ at: z.array(z.string()), shape: z.array(int()), dtype: z.string() })
  .meta({ id: "ModuleTensor" });

/** One side of a module in the trial: its tensors, and when the forward pass first reached it. */
const ModuleSide = z
  .object({ event: int(), kind: z.enum(["tensor", "sequence", "mapping", "other"]), tensors: z.array(ModuleTensor) })
  .meta({ id: "ModuleSide" });

/**
 * One module. `parameters`: number of parameters, including submodules. `calls`: number of calls in one pass; input and
 * output null: never.
 */
export const ModuleFacts = z
  .object({
    path: z.string(),
    class_name: z.string(),
    parameters: int(),
    calls: int(),
    input: z.nullable(ModuleSide),
    output: z.nullable(ModuleSide),
  })
  .meta({ id: "ModuleFacts" });

/** A tensor that a trace saved, which stays in the worker. `dtype` is torch's name, `bfloat16`. */
export const SavedTensor = z
  .object({ tensor: Handle, shape: z.array(int()), dtype: z.string() })
  .meta({ id: "SavedTensor" });
