export { resolveDevice } from "./device.ts";
export type { Continuation, GenerateOptions } from "./generate.ts";
export { LanguageModel, type LanguageModelOptions } from "./language-model.ts";
export type { Dimension, ModuleInfo, ModuleSide, ModuleTensor } from "./modules.ts";
export type { Prompts } from "./prompts.ts";
export type { SiteSpec, Widths } from "./site.ts";
export { type TokenBatch, type TokenIds, Tokenizer } from "./tokenizer.ts";
