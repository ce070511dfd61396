export type { DataMethods, HandleRef, MethodName, Params, Progress, Result, StepNumbers } from "./methods.ts";
export { controlMethods, dataMethods } from "./methods.ts";
export { ENVELOPE_VERSION, schemaHash } from "./schema.ts";
