export { ActivationBuffer, type ActivationBufferOptions, type BufferEvents } from "./activation-buffer.ts";
export { CachedRows, type CachedRowsOptions } from "./cached-rows.ts";
export type { BufferShape } from "./policy.ts";
export type { RowSource } from "./row-source.ts";
