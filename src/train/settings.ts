import type { Resampling } from "../protocol/index.ts";
import type { ResamplingSettings } from "./resampling.ts";
import type { ScheduleSettings } from "./schedules.ts";

/** The training settings of one dictionary: the config's `train`, resolved. */
export interface TrainSettings extends Omit<ScheduleSettings, "resample_warmup_steps">, ResamplingSettings {
  readonly sparsity: "l1" | "entropy";
  readonly reconstruction_loss: "mse" | "rmse";
  readonly fired: "forward" | "updated";
  readonly fetch_surplus_batch: boolean;
  readonly resample_among: Resampling["among"];
  /** Rows whose losses decide where dead features are resampled. */
  readonly resample_rows: number;
  readonly resample_probability: Resampling["probability"];
  readonly resample_replacement: boolean;
  readonly resample_encoder: Resampling["encoder"];
  readonly resample_renormalize: Resampling["renormalize"];
  readonly resample_moments: Resampling["moments"];
  readonly resample_all_dead: Resampling["all_dead"];
  /** null: the same as warmup_steps. */
  readonly resample_warmup_steps: number | null;
  /** Scale the rows to a mean square norm of 1; the saved weights are for unscaled rows. */
  readonly normalize_activations: boolean;
  readonly save_steps: number | null;
  readonly log_steps: number | null;
  readonly adam_arithmetic: "fused" | "plain";
  readonly adam_beta1: number;
  readonly adam_beta2: number;
  readonly adam_epsilon: number;
}
