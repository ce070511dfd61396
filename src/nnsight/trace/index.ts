export { CallSite, recording } from "./call-site.ts";
export { Recorder } from "./recorder.ts";
export {
  located,
  recordedSteps,
  runTrace,
  type Saves,
  type Traced,
  type TraceOptions,
  type TraceResult,
} from "./run-trace.ts";
export type { Recorded } from "./schedule.ts";
export { type TensorInput, TraceInvoke, TraceInvokes, TraceTools } from "./scope.ts";
export type { Axis, Index, Shape } from "./shape.ts";
export { Site, TraceModule } from "./site.ts";
export { TraceError } from "./trace-error.ts";
export { type Operand, Value } from "./value.ts";
export { type ReduceOptions, Saved, type TraceDictionary } from "./value-parts.ts";
