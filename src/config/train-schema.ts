import { z } from "zod";
import { Architecture, atLeastZero, positive, whole } from "./fields.ts";

/**
 * The keys of `train`, which any entry of `dictionaries` may override. They have no defaults here: defaults.ts fills
 * them in once it is known whether `compat` is set. Each quirk of dictionary_learning ddac948 is a separate key.
 */
export const trainKeys = {
  steps: z.nullable(whole(1)).describe("Training steps; null trains until the text ends."),
  lr: positive().describe("Learning rate after the warm-up."),
  sparsity_penalty: atLeastZero().describe("Weight of the sparsity term in the loss."),
  sparsity: z.enum(["l1", "entropy"]).describe("Sparsity term: mean L1 norm of the features, or their entropy."),
  reconstruction_loss: z
    .enum(["mse", "rmse"])
    .describe("Reconstruction term: mean square error, or its root (the reference's)."),
  warmup_steps: whole(0).describe("Steps over which the rate rises linearly from 0."),
  resample_steps: z.nullable(whole(1)).describe("Steps between two resamplings of dead features; null for none."),
  save_steps: z.nullable(whole(1)).describe("Steps between two checkpoints; null for none."),
  log_steps: z.nullable(whole(1)).describe("Steps between two lines of metrics; null for none."),
  sparsity_warmup_steps: whole(0).describe("Steps over which the sparsity penalty rises linearly from 0."),
  decay_start: z
    .nullable(whole(0))
    .describe("First step of the linear decay of the rate to the last step; null for none."),
  normalize_activations: z
    .boolean()
    .describe("Scale the rows to unit mean square norm; folded into the saved weights."),
  architecture: Architecture.describe("Kind of dictionary."),
  adam_beta1: z.number().min(0).lt(1).describe("Adam's decay of the first moment."),
  adam_beta2: z.number().min(0).lt(1).describe("Adam's decay of the second moment."),
  adam_epsilon: positive().describe("Adam's epsilon."),
  warmup_start: z
    .enum(["one", "zero"])
    .describe("Rate of step s in the warm-up: lr·(s+1)/warmup_steps, or lr·s/warmup_steps (the reference's)."),
  fired: z
    .enum(["forward", "updated"])
    .describe(
      "A feature fired in the step's own forward pass, or in a second one with the updated weights (the reference's).",
    ),
  adam_arithmetic: z
    .enum(["fused", "plain"])
    .describe(
      "Gradients in closed form, over active features where these are few, and torch's fused kernel; or autograd and the plain kernel, which round differently (the reference's).",
    ),
  resample_window: z
    .enum(["count-first-step", "drop-first-step"])
    .describe("Count what fires at a window's first step, or drop it (the reference's)."),
  resample_among: z
    .enum(["held", "batch"])
    .describe("Draw from up to resample_rows buffered rows, or from the last batch (the reference's)."),
  resample_rows: whole(1).describe("Largest number of buffered rows whose loss is computed for a resampling."),
  resample_probability: z
    .enum(["squared-loss", "error-norm"])
    .describe("Draw rows in proportion to the squared mean square error, or to the error's norm (the reference's)."),
  resample_replacement: z
    .boolean()
    .describe("Draw with replacement, so that several features may start from one row (the reference's)."),
  resample_encoder: z
    .enum(["sampled-input", "mean-alive"])
    .describe("New encoder row: the row drawn, or for all features the mean of the alive ones (the reference's)."),
  resample_renormalize: z
    .enum(["resampled", "all"])
    .describe("Scale the new decoder columns to norm 1, or all columns once more (the reference's)."),
  resample_moments: z
    .enum(["all", "encoder"])
    .describe("Reset Adam's moments of encoder, bias and decoder, or not the decoder's (the reference's)."),
  resample_all_dead: z
    .enum(["fresh", "stop"])
    .describe("When every feature is dead, initialise all again, or stop (the reference continues with NaN)."),
  resample_warmup_steps: z
    .nullable(whole(0))
    .describe("Steps over which the rate rises again after a resampling; null: as warmup_steps."),
  resample_last_step: z
    .boolean()
    .describe("Resample even when too few steps are left to train the new features (the reference's)."),
  fetch_surplus_batch: z.boolean().describe("Fetch one batch after the last step and throw it away (the reference's)."),
};

export const TrainInput = z.strictObject(trainKeys).partial();
export const Train = z.strictObject(trainKeys);
export type Train = z.output<typeof Train>;

/** The corrected procedure: the right-hand column of the table of quirks. */
export const trainDefaults: Train = {
  steps: 100_000,
  lr: 3e-4,
  sparsity_penalty: 1e-3,
  sparsity: "l1",
  reconstruction_loss: "mse",
  warmup_steps: 1000,
  resample_steps: 25_000,
  save_steps: 10_000,
  log_steps: 1000,
  sparsity_warmup_steps: 0,
  decay_start: null,
  normalize_activations: false,
  architecture: "standard",
  adam_beta1: 0.9,
  adam_beta2: 0.999,
  adam_epsilon: 1e-8,
  warmup_start: "one",
  fired: "forward",
  adam_arithmetic: "fused",
  resample_window: "count-first-step",
  resample_among: "held",
  resample_rows: 819_200,
  resample_probability: "squared-loss",
  resample_replacement: false,
  resample_encoder: "sampled-input",
  resample_renormalize: "resampled",
  resample_moments: "all",
  resample_all_dead: "fresh",
  resample_warmup_steps: null,
  resample_last_step: false,
  fetch_surplus_batch: false,
};

/** The changes that `compat: ddac948` makes in `train`. */
export const trainQuirks: Partial<Train> = {
  reconstruction_loss: "rmse",
  warmup_start: "zero",
  fired: "updated",
  adam_arithmetic: "plain",
  resample_window: "drop-first-step",
  resample_among: "batch",
  resample_probability: "error-norm",
  resample_replacement: true,
  resample_encoder: "mean-alive",
  resample_renormalize: "all",
  resample_moments: "encoder",
  resample_all_dead: "stop",
  resample_warmup_steps: 0,
  resample_last_step: true,
  fetch_surplus_batch: true,
};
