export type {
  HandleRef,
  Layout,
  LossSumsMessage as LossSums,
  MethodName,
  Params,
  PartOfText as Part,
  ProgressEvent as Progress,
  ResamplingMessage as Resampling,
  Result,
  RowSumsMessage as RowSums,
  StepNumbersMessage as StepNumbers,
  TensorInfo,
  TraceOperationMessage as TraceOperation,
} from "./methods.ts";
export { controlMethods } from "./methods.ts";
export { ENVELOPE_VERSION, schemaHash } from "./schema.ts";
