export {
  ActivationBuffer,
  type ActivationBufferInput,
  type BufferEvents,
  bufferOptions,
  bufferShape,
  contextsOptions,
} from "./activation-buffer.ts";
export { CachedRows, type CachedRowsOptions } from "./cached-rows.ts";
export { type BufferShape, type BufferWork, bufferWork, rowsAppended } from "./policy.ts";
export { SourcePosition, withoutRows } from "./position.ts";
export type { HeldRows, Recipe, ResumableSource, RowSource, Shortage, SourceFile } from "./row-source.ts";
