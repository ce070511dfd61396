export type {
  DataMethods,
  HandleRef,
  Layout,
  MethodName,
  Params,
  ProgressEvent as Progress,
  ResamplingMessage as Resampling,
  Result,
  StepNumbersMessage as StepNumbers,
  TensorInfo,
} from "./methods.ts";
export { controlMethods, dataMethods } from "./methods.ts";
export { ENVELOPE_VERSION, schemaHash } from "./schema.ts";
