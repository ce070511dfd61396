export { resolveDevice } from "./device.ts";
export { LanguageModel, type LanguageModelOptions } from "./language-model.ts";
export type { SiteSpec, Widths } from "./site.ts";
