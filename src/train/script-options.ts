import type { RowSource } from "../buffer/index.ts";
import { type ResolvedRun, refuseRunKeys, resumeKinds, runKind, trainKinds } from "../config/index.ts";
import { checkArguments, checkOptions, isPlain, kinds, type OptionShape, optionsOf } from "../options/index.ts";
import type { Worker } from "../worker/index.ts";
import type { TraineeInput } from "./new-trainee.ts";
import type { ResumeOptions } from "./script-run.ts";
import type { TrainSAEOptions } from "./train-sae.ts";
import type { StepOptions, TrainerOptions } from "./trainer.ts";

const TRAINEE: OptionShape<TraineeInput & ResumeOptions> = {
  ...trainKinds,
  ...resumeKinds,
  dictionary_size: kinds.whole(1),
  seed: kinds.seed(),
  device: kinds.device(),
  dtype: kinds.dtype(),
  autocast: kinds.oneOf("bfloat16", null),
  signal: kinds.signal(),
  save_dir: kinds.name(),
};
const ON_EVENT = { onEvent: kinds.callback() };
const OPTIONS = {
  trainSAE: optionsOf<TrainSAEOptions>({ ...TRAINEE, ...ON_EVENT, onMetrics: kinds.callback() }, ["dictionary_size"]),
  "Trainer.create": optionsOf<TrainerOptions>({ ...TRAINEE, ...ON_EVENT }, ["dictionary_size"]),
};
const STEP = optionsOf<StepOptions>(
  { lr: kinds.atLeastZero(), sparsity_penalty: kinds.atLeastZero(), signal: kinds.signal() },
  ["lr", "sparsity_penalty"],
);
const SOURCE = kinds.having<RowSource>("an ActivationBuffer or CachedRows", "worker", "ref", "widths", "next");

/** Throws a `ConfigError` for an invalid source of rows, and for missing or invalid options. */
export const checkTraining = (caller: keyof typeof OPTIONS, source: RowSource, options: unknown): void => {
  checkArguments(caller, { source: [source, SOURCE] });
  if (isPlain(options)) refuseRunKeys(options, caller);
  checkOptions(OPTIONS[caller], options, caller);
};

/** As `checkTraining`, for the options of a step. */
export const checkStep = (options: StepOptions): void => checkOptions(STEP, options, "Trainer.step");

/** Throws a `ConfigError` for an invalid run or worker. */
export const checkRun = (caller: string, run: ResolvedRun, worker: Worker): void => {
  checkArguments(caller, { run: [run, runKind], worker: [worker, WORKER] });
};
const WORKER = kinds.worker();
