import type { RunConfig, RunInput } from "./schema.ts";
import { trainDefaults, trainQuirks } from "./train-schema.ts";

type Data = NonNullable<RunConfig["data"]>;

const dataDefaults: Omit<Data, "path"> = {
  name: null,
  split: "train",
  text_field: "text",
  revision: null,
  shuffle_buffer: 0,
  skip: 0,
  txt_documents: "line",
  evaluation_every: 50,
};

export const evaluationDefaults: NonNullable<RunConfig["evaluation"]> = {
  contexts: 32,
  alive_tokens: 8192,
  frequency_tokens: 16_384,
};

export const bufferDefaults: RunConfig["buffer"] = {
  n_ctxs: 30_000,
  ctx_len: 128,
  in_batch_size: 512,
  out_batch_size: 8192,
  refresh_below: 0.5,
  device: "cpu",
  contexts: "pack",
  padding: "right",
  exclude_special_tokens: false,
  max_activation_norm_multiple: null,
  draws: "shuffled",
  keep: "mask",
  pad_token: "own",
  attention_mask: "tokens",
  partial_batches: "serve",
  remaining_rows: "serve",
  append: "fit",
  batch_ahead: true,
  forward: "partial",
};

/** The changes that `compat: ddac948` makes in `buffer`. */
export const bufferQuirks: Partial<RunConfig["buffer"]> = {
  contexts: "truncate",
  padding: "left-unmasked",
  draws: "randperm-each",
  keep: "pad-token",
  pad_token: "end-of-text",
  attention_mask: "none",
  partial_batches: "drop",
  remaining_rows: "drop",
  append: "whole-batches",
  batch_ahead: false,
  forward: "full",
};

/** Without the keys whose value is undefined: zod's types cannot tell them from missing keys. */
export const given = <T extends object>(keys: T | undefined): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(keys ?? {}).filter(([, value]) => value !== undefined)) as never;

/** Fills in missing keys: with the defaults, or under `compat` with the reference's values. */
export const withDefaults = (input: RunInput): RunConfig => {
  const { $schema: _, data, buffer, evaluation, train, dictionaries, ...rest } = input;
  const compat = input.compat === "ddac948";
  return {
    seed: 0,
    device: "auto",
    dtype: "float32",
    autocast: null,
    tf32: false,
    deterministic: false,
    // torch's default dtype, which the reference uses for everything, including the model.
    model_dtype: compat ? (rest.dtype ?? "float32") : null,
    compat: "none",
    random_streams: compat ? "one" : "separate",
    output: "runs/demo",
    model: null,
    revision: null,
    activations: null,
    resume: "exact",
    resume_every: 500,
    worker_timeout: 300,
    trust_remote_code: false,
    ...given(rest),
    data: data === undefined || data === null ? null : withDataDefaults(data, compat),
    buffer: { ...bufferDefaults, ...(compat ? bufferQuirks : {}), ...given(buffer) },
    evaluation:
      evaluation === null || (evaluation === undefined && compat)
        ? null
        : { ...evaluationDefaults, ...given(evaluation) },
    train: { ...trainDefaults, ...(compat ? trainQuirks : {}), ...given(train) },
    dictionaries: dictionaries.map((each) => {
      const io = each.io ?? "out";
      return { ...each, io, name: each.name ?? derivedName({ ...each, io }) };
    }),
  };
};

const withDataDefaults = (input: NonNullable<RunInput["data"]>, compat: boolean): Data => {
  const data = typeof input === "string" ? { path: input } : input;
  return { ...dataDefaults, ...(compat ? { evaluation_every: null } : {}), ...given(data), path: data.path };
};

const derivedName = ({
  submodule,
  io,
  dictionary_size,
}: {
  submodule?: string | undefined;
  io: string;
  dictionary_size: number;
}) => `${(submodule ?? "rows").replaceAll(/[^A-Za-z0-9._-]+/g, "_")}_${io}_${dictionary_size}`;
