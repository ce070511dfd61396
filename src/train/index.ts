export type { FinishReason, Observer, RunEvent, StepMetrics } from "./events.ts";
export { examineRun } from "./examine.ts";
export { type RunOptions, type RunResult, runTraining } from "./run.ts";
export { type TrainSAEOptions, trainSAE } from "./train-sae.ts";
