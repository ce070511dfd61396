export { type BenchOptions, benchMachine, type MachineBenchmark, type MeasuredStep } from "./bench-machine.ts";
export type { DictionaryTiming } from "./measure-dictionary.ts";
export type { EvaluationTiming } from "./measure-evaluation.ts";
export type { HarvestTiming } from "./measure-harvest.ts";
export type { StepsTiming } from "./measure-steps.ts";
export type { Peak, Precision } from "./peak.ts";
export { type MeasuredDictionary, predictRun, type RunPrediction } from "./predict-run.ts";
export type { PartName, PredictedPart, PredictedTime, RunCounts, SecondsRange } from "./prediction.ts";
export type { Timing } from "./timing.ts";
