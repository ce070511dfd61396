export type {
  DataMethods,
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
export { controlMethods, dataMethods } from "./methods.ts";
export { ENVELOPE_VERSION, schemaHash } from "./schema.ts";
