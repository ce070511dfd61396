export type { Interval } from "./bootstrap.ts";
export { evaluate } from "./evaluate.ts";
export type { Evaluation, ReferenceStatistics, Statistic } from "./evaluation.ts";
export { type FeatureFrequencies, type FeatureFrequenciesOptions, featureFrequencies } from "./feature-frequencies.ts";
export type { FrequencyHistogram } from "./frequencies.ts";
export type { EvaluationProgress } from "./measurement.ts";
export { DEFAULT_CONTEXTS, type EvaluateOptions, type SiteOptions } from "./options.ts";
export type { StatisticName } from "./statistics.ts";
export { type FeatureContext, type FeatureContexts, type TopContextsOptions, topContexts } from "./top-contexts.ts";
