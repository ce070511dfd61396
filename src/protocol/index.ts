export type { MethodName, Params, Result } from "./methods.ts";
export { controlMethods } from "./methods.ts";
export { ENVELOPE_VERSION, schemaHash } from "./schema.ts";
export type { TraceOperation } from "./trace-operations.ts";
export type {
  FoundFile,
  HandleRef,
  Layout,
  LossSums,
  Part,
  Progress,
  Resampling,
  RowSums,
  StepNumbers,
  TensorInfo,
} from "./types.ts";
