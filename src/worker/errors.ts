import { existsSync } from "node:fs";
import { CancelledError, DictlearnError, EnvironmentError } from "../errors.ts";

/** The wire form of a failure in the worker. */
export interface RemoteFailure {
  readonly code: string;
  readonly type: string;
  readonly message: string;
  readonly hint: string | null;
  readonly traceback: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What the worker's Python said, as the `cause` of the error that the caller sees. Its `stack` is the traceback. */
class RemoteTraceback extends Error {
  override readonly name: string;
  constructor(failure: RemoteFailure) {
    super(failure.message);
    this.name = failure.type;
    this.stack = failure.traceback ?? `${failure.type}: ${failure.message}`;
  }
}

/** An operation failed in the worker. `code` says how, `data` with what. */
export class RemoteError extends DictlearnError {
  override readonly name: string = "RemoteError";
  readonly method: string;
  readonly data: Readonly<Record<string, unknown>>;
  constructor(failure: RemoteFailure, method: string, message = failure.message) {
    super(message, { code: failure.code, hint: failure.hint ?? undefined, cause: new RemoteTraceback(failure) });
    this.method = method;
    this.data = failure.data;
  }
}

/** The device or the machine ran out of memory. */
export class OutOfMemoryError extends RemoteError {
  override readonly name = "OutOfMemoryError";
}

/** The loss of a step was NaN or infinite. `data.step` is the step's number. */
export class NonFiniteLossError extends RemoteError {
  override readonly name = "NonFiniteLossError";
}

/** A handle was used after its release, or after its worker's end. */
export class StaleHandleError extends DictlearnError {
  override readonly name = "StaleHandleError";
  constructor(message: string, hint?: string) {
    super(message, { code: "stale_handle", hint });
  }
}

/** The two sides do not speak the same protocol. */
export class ProtocolMismatchError extends DictlearnError {
  override readonly name = "ProtocolMismatchError";
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super(message, { code: "protocol_mismatch", hint: ofOneVersion(isCheckout()), ...options });
  }
}

/** How program and worker become of one version again: in a checkout the program is built, and a pull does not do it. */
export const ofOneVersion = (checkout: boolean): string =>
  checkout
    ? "Run `npm run build`: the program is older or newer than the worker beside it, as after a pull."
    : "Reinstall dictlearn, so that its worker and its program are of one version.";

/** The package is published without what builds it. */
const isCheckout = (): boolean => existsSync(new URL("../../tsconfig.build.json", import.meta.url));

/** The worker could not be started. */
export class WorkerStartError extends EnvironmentError {
  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { code: "worker_start", ...options });
  }
}

const OUT_OF_MEMORY = "The system may have run out of memory: lower";
/** What takes the memory in a run, and in a trace of a script. */
const LOWER = { run: "buffer.n_ctxs or buffer.out_batch_size", trace: "the number of prompts, or their lengths" };
const HUNG = "If it only was slow, raise worker_timeout.";

/** How a worker process ended. */
export interface WorkerEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderr: readonly string[];
  readonly method: string | undefined;
  /** Milliseconds without a sign of life, after which it was killed. */
  readonly hungFor?: number | undefined;
}

/** The worker process ended while it was needed. */
export class WorkerDiedError extends DictlearnError {
  override readonly name = "WorkerDiedError";
  readonly end: WorkerEnd;
  constructor(end: WorkerEnd) {
    const how = end.signal === null ? `with exit code ${end.exitCode}` : `by signal ${end.signal}`;
    const during = end.method === undefined ? "" : ` during ${end.method}`;
    const last = end.stderr.at(-1);
    const words = last === undefined ? "" : ` (${last.trim()})`;
    const hung = end.hungFor === undefined ? undefined : `gave no sign of life for ${end.hungFor / 1000} s`;
    const lower = end.method?.startsWith("trace.") ? LOWER.trace : LOWER.run;
    super(`The Python worker ${hung ?? `ended unexpectedly ${how}`}${during}${words}.`, {
      code: "worker_died",
      hint: end.signal === "SIGKILL" ? (hung === undefined ? `${OUT_OF_MEMORY} ${lower}.` : HUNG) : undefined,
      cause: end.stderr.length === 0 ? undefined : new Error(end.stderr.join("\n")),
    });
    this.end = end;
  }
}

/** Every failure that comes over the wire becomes a typed error here, and nowhere else. */
export const fromRemote = (failure: RemoteFailure, method: string): DictlearnError => {
  switch (failure.code) {
    case "cancelled":
      return new CancelledError();
    case "out_of_memory":
      return new OutOfMemoryError(failure, method, `Out of memory during ${method}: ${firstLine(failure.message)}`);
    case "non_finite_loss":
      return new NonFiniteLossError(failure, method);
    case "stale_handle":
      return new StaleHandleError(failure.message, failure.hint ?? undefined);
    case "protocol_mismatch":
      return new ProtocolMismatchError(failure.message);
    case "device_failed":
      return new RemoteError(failure, method, `The device failed during ${method}: ${firstLine(failure.message)}.`);
    case "defect":
      return new RemoteError(failure, method, `${method} failed: ${failure.type}: ${firstLine(failure.message)}`);
    default:
      return new RemoteError(failure, method);
  }
};

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? text;
