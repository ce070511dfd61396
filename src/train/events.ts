import type { Evaluation } from "../evaluate/evaluation.ts";

/** Events that a run reports. Steps count from 0; `dictionary` is the dictionary's name. */
export type RunEvent =
  | { readonly type: "stage"; readonly message: string; readonly done?: number; readonly total?: number }
  | { readonly type: "notice"; readonly message: string }
  | { readonly type: "worker"; readonly pid: number; readonly device: string }
  | { readonly type: "filling"; readonly unread: number; readonly capacity: number; readonly tokens: number }
  | {
      readonly type: "refreshed";
      readonly rows: number;
      readonly contexts: number;
      readonly seconds: number;
      readonly exhausted: boolean;
      readonly step: number;
    }
  | { readonly type: "step"; readonly step: number; readonly steps: number | null; readonly tokens: number }
  | { readonly type: "metrics"; readonly dictionary: string; readonly metrics: StepMetrics }
  | {
      readonly type: "resampled";
      readonly dictionary: string;
      readonly step: number;
      readonly features: readonly number[];
      readonly fresh: boolean;
    }
  /** A resume state was written after `step` steps, with `bytes` of tensors. */
  | { readonly type: "kept"; readonly step: number; readonly bytes: number }
  /**
   * Training resumes after `step` steps. Without `exact`, the result will not be byte-identical to an uninterrupted
   * run's.
   */
  | { readonly type: "resumed"; readonly step: number; readonly exact: boolean }
  | {
      readonly type: "evaluating";
      readonly dictionary: string;
      readonly stage: string;
      readonly done: number;
      readonly total: number;
    }
  | { readonly type: "evaluated"; readonly dictionary: string; readonly evaluation: Evaluation; readonly path: string }
  | { readonly type: "saved"; readonly dictionary: string; readonly step: number; readonly path: string }
  | {
      readonly type: "finished";
      readonly dictionary: string;
      readonly reason: FinishReason;
      readonly metrics: StepMetrics;
    };

export type FinishReason = "steps" | "exhausted" | "interrupted";

/** The statistics of one batch under the weights after step `step`. */
export interface StepMetrics {
  readonly step: number;
  readonly lr: number;
  readonly mse_loss: number;
  readonly rmse_loss: number;
  readonly sparsity_loss: number;
  /** Mean number of non-zero features per row. */
  readonly l0: number;
  readonly fraction_variance_explained: number;
  readonly dead_features: number;
  /** Rows trained on so far. */
  readonly tokens_seen: number;
}

export type Observer = (event: RunEvent) => void;
