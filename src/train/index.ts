export type { Observer, RunEvent, StepMetrics } from "./events.ts";
export { examineRun, type RunExamination } from "./examine.ts";
export type { RunFlops } from "./flops.ts";
export { type RunOptions, type RunResult, runTraining } from "./run.ts";
export { type TrainSAEOptions, trainSAE } from "./train-sae.ts";
export { type StepOptions, Trainer, type TrainerOptions } from "./trainer.ts";
