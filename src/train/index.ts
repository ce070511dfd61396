export type { FinishReason, Observer, RunEvent, StepMetrics } from "./events.ts";
export { type RunOptions, type RunResult, runTraining } from "./run.ts";
