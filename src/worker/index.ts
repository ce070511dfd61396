export { calledFrom } from "./called-from.ts";
export {
  fromRemote,
  NonFiniteLossError,
  OutOfMemoryError,
  ProtocolMismatchError,
  RemoteError,
  type RemoteFailure,
  StaleHandleError,
  WorkerDiedError,
  WorkerStartError,
} from "./errors.ts";
export { Handle } from "./handle.ts";
export { Scope } from "./scope.ts";
export { CallWindow } from "./window.ts";
export { Worker, type WorkerOptions } from "./worker.ts";
