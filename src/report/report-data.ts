import type { Evaluation } from "../evaluate/evaluation.ts";
import type { EvaluationSubject } from "../evaluate/subject.ts";

/** All data of a report; the page is a pure function of it. */
export interface ReportData {
  readonly dictionaries: readonly ReportedDictionary[];
}

export interface ReportedDictionary {
  readonly name: string;
  /** The inputs it was trained on, as far as its config states them. */
  readonly model: string | null;
  readonly submodule: string | null;
  readonly io: "out" | "in" | "in_to_out" | null;
  readonly size: number;
  readonly inputWidth: number;
  readonly outputWidth: number;
  /** null with a `whyNot` where there is no text that it was not trained on. */
  readonly evaluation: Evaluated | WhyNot;
  /** The logged steps; null where there is no metrics.jsonl. */
  readonly training: TrainingCurves | null;
  /** config.json, verbatim; null where there is none. */
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly features: FeatureBrowser | WhyNot;
}

export interface Evaluated {
  readonly subject: Partial<EvaluationSubject>;
  /** Contexts measured. */
  readonly contexts: number;
  readonly statistics: Evaluation["statistics"];
  readonly frequencies: Evaluation["frequencies"];
}

/** A part of the report that is unavailable, and one sentence on why. */
export interface WhyNot {
  readonly whyNot: string;
}

/** The contents of metrics.jsonl, one entry for each logged step. null: the number was not finite. */
export interface TrainingCurves {
  readonly steps: readonly number[];
  readonly values: Readonly<Record<CurveName, readonly (number | null)[]>>;
  /** Steps at which features were resampled. */
  readonly resampled: readonly number[];
}

export const CURVE_NAMES = [
  "fraction_variance_explained",
  "mse_loss",
  "l0",
  "sparsity_loss",
  "dead_features",
  "lr",
] as const;
export type CurveName = (typeof CURVE_NAMES)[number];

export interface FeatureBrowser {
  /** Tokens that frequencies are counted on and contexts are searched in. */
  readonly tokens: number;
  /** Next tokens that the loss effects average over. */
  readonly predictions: number;
  /** Features that fired on one of these tokens; if the same number is shown, all are. */
  readonly firing: number;
  /** The text, and whether documents of the training are in it. */
  readonly data: string;
  readonly trainingText: boolean;
  /** Why loss effects are missing, if they are. */
  readonly noLossEffect?: string;
  /** Why promoted tokens are missing; null where they are not. */
  readonly noDirectEffect: string | null;
  readonly features: readonly ReportedFeature[];
}

/** Why a feature is shown; `named`: requested by number, `near`: a neighbour of others. */
export type FeatureGroup = "loss" | "frequent" | "random" | "near" | "named";

export interface ReportedFeature {
  readonly feature: number;
  readonly groups: readonly FeatureGroup[];
  /** Tokens on which it is not 0. */
  readonly fired: number;
  /**
   * Nats by which the mean loss would rise without it, to first order; and the same over the tokens where it fires;
   * null without losses.
   */
  readonly lossEffect: number | null;
  readonly lossEffectWhereItFires: number | null;
  /** Highest activation. */
  readonly highest: number;
  readonly contexts: readonly ReportedContext[];
  readonly neighbours: readonly { readonly feature: number; readonly cosine: number }[];
  readonly promoted: readonly TokenEffect[];
  readonly suppressed: readonly TokenEffect[];
}

export interface TokenEffect {
  readonly text: string;
  /** In standard deviations over the vocabulary. */
  readonly effect: number;
}

export interface ReportedContext {
  readonly tokens: readonly string[];
  /** One for each token. */
  readonly activations: readonly number[];
  /** Whether text was truncated before, and after. */
  readonly cut: readonly [front: boolean, back: boolean];
}

/** Whether a part is available. */
export const isThere = <T extends object>(part: T | WhyNot): part is T => !("whyNot" in part);
