export { Contexts, type ContextsOptions } from "./activations/index.ts";
export {
  AutoEncoder,
  type AutoEncoderOptions,
  type AutoEncoderShape,
  type Matrix,
  type MatrixInput,
} from "./dictionary/index.ts";
export { CancelledError, ConfigError, DictlearnError, EnvironmentError } from "./errors.ts";
export { LanguageModel, type LanguageModelOptions } from "./nnsight/index.ts";
export { version } from "./version.ts";
