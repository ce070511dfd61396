export {
  ActivationBuffer,
  type ActivationBufferInput,
  type ActivationBufferOptions,
  type BufferEvents,
  bufferOptions,
  contextsOptions,
} from "./activation-buffer.ts";
export { CachedRows, type CachedRowsOptions } from "./cached-rows.ts";
export type { BufferShape } from "./policy.ts";
export type { RowSource } from "./row-source.ts";
