import type { Evaluation } from "../evaluate/evaluation.ts";
import type { EvaluationSubject } from "../evaluate/subject.ts";

/** Everything that a report says; the page is a pure function of it. */
export interface ReportData {
  readonly dictionaries: readonly ReportedDictionary[];
}

export interface ReportedDictionary {
  readonly name: string;
  /** What it was trained on, as far as its config says so. */
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
  /** config.json, as it lies there; null where there is none. */
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly features: FeatureBrowser | WhyNot;
}

export interface Evaluated {
  readonly subject: Partial<EvaluationSubject>;
  /** Contexts that were measured. */
  readonly contexts: number;
  readonly statistics: Evaluation["statistics"];
  readonly frequencies: Evaluation["frequencies"];
}

/** A part of the report that cannot be had, and one sentence on why. */
export interface WhyNot {
  readonly whyNot: string;
}

/** What metrics.jsonl says, one entry for each logged step. null: the number was not finite. */
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
  /** Tokens on which frequencies are counted and in which contexts are searched. */
  readonly tokens: number;
  /** Next tokens over which the loss effects are means. */
  readonly predictions: number;
  /** Features that fired on one of these tokens; where as many are shown, all are. */
  readonly firing: number;
  /** The text, and whether documents of the training are in it. */
  readonly data: string;
  readonly trainingText: boolean;
  /** Why no feature has an effect on the loss, where none has. */
  readonly noLossEffect?: string;
  /** Why no tokens are named that a feature promotes; null where they are. */
  readonly noDirectEffect: string | null;
  readonly features: readonly ReportedFeature[];
}

/** Why a feature is shown; `named`: it was asked for by its number, `near`: others have it as a neighbour. */
export type FeatureGroup = "loss" | "frequent" | "random" | "near" | "named";

export interface ReportedFeature {
  readonly feature: number;
  readonly groups: readonly FeatureGroup[];
  /** Tokens on which it is not 0. */
  readonly fired: number;
  /** By how many nats the mean loss would rise without it, to first order; and the same over the tokens where it fires; null without losses. */
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
  /** Whether text was cut off in front, and behind. */
  readonly cut: readonly [front: boolean, back: boolean];
}

/** Whether a part is there. */
export const isThere = <T extends object>(part: T | WhyNot): part is T => !("whyNot" in part);
