export { resolveDevice } from "./device.ts";
export { type Attribution, type FeatureSite, ModelFeatures } from "./features.ts";
export type { Continuation, GenerateOptions, Generation } from "./generate.ts";
export { LanguageModel, type LanguageModelOptions } from "./language-model.ts";
export type { Dimension, ModuleInfo, ModuleSide, ModuleTensor } from "./modules.ts";
export type { Prompts } from "./prompts.ts";
export { type HostArray, type HostTensor, type Nested, SavedTensor } from "./saved-tensor.ts";
export type { SiteSpec, Widths } from "./site.ts";
export { type TokenBatch, type TokenIds, Tokenizer } from "./tokenizer.ts";
export {
  type Axis,
  type HeldTensor,
  type Index,
  type Operand,
  type ReduceOptions,
  Saved,
  type Saves,
  type Shape,
  Site,
  type TensorInput,
  type TraceDictionary,
  type Traced,
  TraceError,
  TraceInvoke,
  TraceInvokes,
  TraceModule,
  type TraceOptions,
  type TraceResult,
  TraceTools,
  Value,
} from "./trace/index.ts";
