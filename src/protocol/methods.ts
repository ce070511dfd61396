import { z } from "zod";
import { benchMethods } from "./bench-methods.ts";
import { evaluateMethods } from "./evaluate-methods.ts";
import { featureMethods } from "./feature-methods.ts";
import { type Method, method } from "./method.ts";
import { nnsightMethods } from "./nnsight-methods.ts";
import {
  Adam,
  Container,
  Dtype,
  float,
  Handle,
  int,
  Layout as LayoutSchema,
  Loss,
  type LossSums,
  Part,
  Resampling,
  type RowSums,
  Site,
  SiteWidths,
  StepNumbers,
  TensorFrame,
  TensorInfo as TensorInfoSchema,
} from "./types.ts";

/** What a long call reports while it runs. `total` is 0 where it is not known. */
export const Progress = z.object({ stage: z.string(), done: int(), total: int() }).meta({ id: "Progress" });

const Device = z
  .object({ name: z.string(), kind: z.string(), total_bytes: int(), free_bytes: int() })
  .meta({ id: "Device" });

const Norms = z.object({ min: float, mean: float, max: float }).meta({ id: "Norms" });

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

  /** Opens local files, or a folder of them, as a stream of documents. Bad files fail here where they can. */
  "text.files": method(
    {
      path: z.string(),
      text_field: z.string(),
      txt_documents: z.enum(["line", "paragraph", "file"]),
      skip: int(),
      shuffle_buffer: int(),
      seed: int(),
      part: z.nullable(Part),
      /** The cache folder: text that takes long to put together is kept there. */
      cache: z.string(),
    },
    { text: Handle, files: int() },
  ),
  /** Opens a Hugging Face dataset (hub id or local dataset folder) as a stream of documents. */
  "text.hub": method(
    {
      path: z.string(),
      name: z.nullable(z.string()),
      split: z.string(),
      text_field: z.string(),
      revision: z.nullable(z.string()),
      skip: int(),
      shuffle_buffer: int(),
      seed: int(),
      part: z.nullable(Part),
    },
    { text: Handle },
  ),
  /** A stream that the caller feeds with `text.push`. */
  "text.pushed": method({ part: z.nullable(Part) }, { text: Handle }),
  "text.push": method({ text: Handle, documents: z.array(z.string()), end: z.boolean() }, {}),

  /** Cuts a stream of documents into contexts of at most `ctx_len` tokens of the model's tokenizer. */
  "contexts.open": method(
    {
      text: Handle,
      model: Handle,
      ctx_len: int(),
      /** pack: full contexts, documents joined by the end-of-text token. truncate: one document, one context, cut. */
      contexts: z.enum(["pack", "truncate"]),
      /** left-unmasked: padding on the left, and the model attends to it. */
      padding: z.enum(["right", "left-unmasked"]),
      /** Which positions are kept. mask: all but padding. pad-token: all but those that hold the pad token, wherever they stand. */
      keep: z.enum(["mask", "pad-token"]),
      /** Which token is the pad token where the tokenizer has none. */
      pad_token: z.enum(["own", "end-of-text"]),
      /** What the model gets; with `left-unmasked` padding a mask of ones in any case. */
      attention_mask: z.enum(["tokens", "none"]),
      exclude_special_tokens: z.boolean(),
      /** Drop the last contexts when they do not fill a whole batch. */
      drop_partial_batch: z.boolean(),
    },
    { contexts: Handle },
  ),

  /**
   * Preallocates `rows` rows for every site. `randperm-each`: each draw permutes all unread rows; `shuffled`:
   * `buffer.shuffle` does once for all. `keep_contexts`: remember the tokens of the rows held, for `state.save`.
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
   * Runs up to `n_contexts` contexts through the model, once for all sites, and stores the rows in free slots.
   * forward: stop behind the last site that is read (`partial`), or run all of the model and its head (`full`).
   * `starved`: a pushed stream has too few documents yet, nothing was run. `exhausted`: no context is left.
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
  /** Opens cached rows: `inputs` (and `targets`) of [batches, batch, d] or [rows, d]. All values are checked to be finite. */
  "rows.open": method(
    { path: z.string(), out_batch_size: int(), dtype: Dtype, device: z.string() },
    { source: Handle, batches: z.array(int()), widths: SiteWidths, paired: z.boolean() },
  ),
  /** The next `rows` rows of one site as numbers, for scripts. */
  "source.next": method(
    { source: Handle, site: int(), rows: int() },
    { inputs: TensorFrame, targets: z.nullable(TensorFrame) },
  ),

  /** A freshly initialised dictionary. The draws are those of the reference, in its order, from `generator`. */
  "dictionary.create": method(
    { input_width: int(), output_width: int(), size: int(), dtype: Dtype, device: z.string(), generator: Handle },
    { dictionary: Handle },
  ),
  /** Names, shapes and dtypes of a file's tensors, and the text that a safetensors file carries. Runs no code in it. */
  "tensors.list": method(
    { path: z.string(), container: Container },
    { tensors: z.array(TensorInfoSchema), metadata: z.record(z.string(), z.string()) },
  ),
  /**
   * A dictionary from a file whose tensors are named and laid out as `layout` says. `unfolded` names the file in which
   * `dictionary.write` kept the biases that it folded together. `input_bias` says whether there is one of its own.
   */
  "dictionary.read": method(
    {
      path: z.string(),
      layout: LayoutSchema,
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
   * into the encoder's, and both go to `unfolded` as they were.
   */
  "dictionary.write": method(
    {
      dictionary: Handle,
      path: z.string(),
      layout: LayoutSchema,
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
  /** What the weights alone say. A feature is silent when its encoder row is zero and its bias is not above zero. */
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
      /** Features whose encoder row another one has too. */
      shared_rows: z.array(int()),
    },
  ),
  /**
   * Means over the batches of a source: what a loss does to the encoder's scale. With e = y − ŷ and v = W_dec f:
   * `alignment` is E[e·v] / d, `unit_alignment` E[e·v / |e|], `l1` E[Σf].
   */
  "dictionary.balance": method(
    { dictionary: Handle, source: Handle, rows: z.array(int()) },
    { rows: int(), mse: float, l1: float, l0: float, alignment: float, unit_alignment: float, silent: int() },
  ),

  /** Adds an optimiser and the record of when each feature last fired. */
  "trainee.create": method({ dictionary: Handle, adam: Adam }, { trainee: Handle }),
  /** Draws one batch of `rows[i]` rows per step and takes that step with every trainee. Fails with `non_finite_loss` and the step. */
  "train.steps": method({ source: Handle, rows: z.array(int()), trainees: z.array(StepNumbers) }, {}),
  /** Both loss terms and more on the last batch drawn, with the present weights. Changes nothing. */
  "train.metrics": method(
    { source: Handle, trainee: Handle, site: int(), scale: z.number(), loss: Loss, dead_since: int() },
    {
      mse_loss: float,
      rmse_loss: float,
      sparsity_loss: float,
      l0: float,
      fraction_variance_explained: float,
      dead_features: int(),
    },
  ),
  /** Mean of |row|² over the rows that the source holds, both inputs and targets where they differ. */
  "source.mean_square_norm": method({ source: Handle, site: int() }, { mean_square_norm: float }),
  /** The features that have not fired at step `since` or later. */
  "train.dead": method({ trainee: Handle, since: int() }, { features: z.array(int()) }),
  /**
   * Gives the features named a new start after step `step`. The answer has those that got one: fewer than asked for when
   * there are too few distinct rows. `fresh` is true when no feature was alive. Fails with `all_dead` where that is asked
   * for, and with `non_finite_loss` when the rows' losses are not finite.
   */
  "train.resample": method(
    {
      source: Handle,
      trainee: Handle,
      site: int(),
      scale: z.number(),
      step: int(),
      features: z.array(int()),
      generator: Handle,
      resampling: Resampling,
    },
    { features: z.array(int()), fresh: z.boolean() },
  ),

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
   * whose rows are not those of before to the last bit.
   */
  "state.load": method(
    {
      path: z.string(),
      trainees: z.array(Handle),
      generators: z.array(Handle),
      source: Handle,
      contexts: z.nullable(Handle),
      model: z.nullable(Handle),
    },
    { recomputed: int(), differing: int() },
  ),
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

type DataMethods = typeof dataMethods;
export type ControlMethods = typeof controlMethods;
type AnyMethods = DataMethods & ControlMethods;
export type MethodName = keyof AnyMethods;
export type Params<M extends MethodName> = z.input<AnyMethods[M]["params"]>;
export type Result<M extends MethodName> = z.output<AnyMethods[M]["result"]>;
export type ProgressEvent = z.output<typeof Progress>;
export type HandleRef = z.output<typeof Handle>;
export type ResamplingMessage = z.output<typeof Resampling>;
export type PartOfText = z.output<typeof Part>;
export type RowSumsMessage = z.output<typeof RowSums>;
export type LossSumsMessage = z.output<typeof LossSums>;
export type StepNumbersMessage = z.output<typeof StepNumbers>;
export type Layout = z.output<typeof LayoutSchema>;
export type TraceOperationMessage = Params<"trace.run">["program"][number];
export type TensorInfo = z.output<typeof TensorInfoSchema>;
