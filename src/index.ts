export {
  ActivationBuffer,
  type ActivationBufferInput,
  CachedRows,
  type CachedRowsOptions,
  type RowSource,
} from "./buffer/index.ts";
export { loadConfig, parseConfig, type ResolvedRun, type RunConfig, resolveRun } from "./config/index.ts";
export {
  AutoEncoder,
  type AutoEncoderOptions,
  type AutoEncoderShape,
  type Matrix,
  type MatrixInput,
} from "./dictionary/index.ts";
export { ensureEnvironment } from "./environment/index.ts";
export { CancelledError, ConfigError, DictlearnError, EnvironmentError } from "./errors.ts";
export {
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type FeatureContext,
  type FeatureContexts,
  type FeatureFrequencies,
  type FeatureFrequenciesOptions,
  type FrequencyHistogram,
  featureFrequencies,
  type ReferenceStatistics,
  type Statistic,
  type StatisticName,
  type TopContextsOptions,
  topContexts,
} from "./evaluate/index.ts";
export {
  type Continuation,
  type Dimension,
  type GenerateOptions,
  LanguageModel,
  type LanguageModelOptions,
  type ModuleInfo,
  type ModuleSide,
  type ModuleTensor,
  type Prompts,
  type TokenBatch,
  type TokenIds,
  Tokenizer,
} from "./nnsight/index.ts";
export {
  PUBLISHED_COLUMNS,
  PUBLISHED_SETS,
  type PublishedColumn,
  type PublishedDictionary,
  type PublishedHyperparameters,
  type PublishedSet,
  type PublishedStatistics,
  publishedAt,
  publishedDictionaries,
  publishedSet,
  publishedShapes,
} from "./published/index.ts";
export { type Documents, PYTHON_DOCS, type TextPart, type TextSource } from "./text/index.ts";
export {
  examineRun,
  type RunEvent,
  type RunExamination,
  type RunOptions,
  type RunResult,
  runTraining,
  type StepMetrics,
  type StepOptions,
  Trainer,
  type TrainSAEOptions,
  trainSAE,
} from "./train/index.ts";
export { version } from "./version.ts";
export {
  NonFiniteLossError,
  OutOfMemoryError,
  ProtocolMismatchError,
  RemoteError,
  StaleHandleError,
  Worker,
  WorkerDiedError,
  type WorkerOptions,
  WorkerStartError,
} from "./worker/index.ts";
