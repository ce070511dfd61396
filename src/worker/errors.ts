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

/** The worker's Python exception, as the `cause` of the error that the caller sees. Its `stack` is the traceback. */
class RemoteTraceback extends Error {
  override readonly name: string;
  constructor(failure: RemoteFailure) {
    super(failure.message);
    this.name = failure.type;
    this.stack = failure.traceback ?? `${failure.type}: ${failure.message}`;
  }
}

/** An operation failed in the worker. `code` is the kind of failure, `data` its details. */
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

/** A handle was used after its release, or after its worker ended. */
export class StaleHandleError extends DictlearnError {
  override readonly name = "StaleHandleError";
  constructor(message: string, hint?: string) {
    super(message, { code: "stale_handle", hint });
  }
}

/** The two processes use different protocol versions. */
export class ProtocolMismatchError extends DictlearnError {
  override readonly name = "ProtocolMismatchError";
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super(message, { code: "protocol_mismatch", hint: ofOneVersion(isCheckout()), ...options });
  }
}

/** How to bring program and worker to the same version: a checkout must be built again after a pull. */
export const ofOneVersion = (checkout: boolean): string =>
  checkout
    ? "Run `npm run build`: the program is older or newer than the worker beside it, as after a pull."
    : "Reinstall dictlearn, so that its worker and its program are of one version.";

/** The published package lacks the build scripts. */
const isCheckout = (): boolean => existsSync(new URL("../../tsconfig.build.json", import.meta.url));

/** The worker could not be started. */
export class WorkerStartError extends EnvironmentError {
  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { code: "worker_start", ...options });
  }
}

const OUT_OF_MEMORY = "The system may have run out of memory:";
const LOWER_BATCH = "lower buffer.out_batch_size or dictionary_size";
/** The data that uses the memory, by method. */
const ADVICE: readonly [method: RegExp, advice: string][] = [
  [/^(trace|tokenizer)\.|^model\.generate/, "lower the number of prompts, or their lengths"],
  [/^model\./, "set model_dtype: bfloat16, or name a smaller model"],
  [/^(train|trainee|dictionary|source|state)\./, LOWER_BATCH],
];
/** For methods that read text and run the model. */
const OTHERWISE = "lower buffer.n_ctxs or buffer.out_batch_size, and split documents of 100 MB and more";
/** Out-of-memory messages of the allocators of Rust, C++, Python and the system. */
const NO_MEMORY = /memory allocation of \d+ bytes failed|bad_alloc|MemoryError|cannot allocate memory|out of memory/i;
/** Lines that explain nothing: backtraces, and instructions to get longer ones. */
const NOISE = /^\s*(note: |stack backtrace:|\d+: |at )/;
const HUNG = "If it only was slow, raise worker_timeout.";

/** How a worker process ended. */
export interface WorkerEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderr: readonly string[];
  readonly method: string | undefined;
  /** Milliseconds without a heartbeat, after which it was killed. */
  readonly hungFor?: number | undefined;
}

/** The worker process ended while it was needed. */
export class WorkerDiedError extends DictlearnError {
  override readonly name = "WorkerDiedError";
  readonly end: WorkerEnd;
  constructor(end: WorkerEnd) {
    const how = end.signal === null ? `with exit code ${end.exitCode}` : `by signal ${end.signal}`;
    const during = end.method === undefined ? "" : ` during ${end.method}`;
    const memory = end.stderr.findLast((line) => NO_MEMORY.test(line));
    const last = memory ?? end.stderr.findLast((line) => line.trim() !== "" && !NOISE.test(line));
    const words = last === undefined ? "" : ` (${last.trim()})`;
    const hung = end.hungFor === undefined ? undefined : `gave no sign of life for ${end.hungFor / 1000} s`;
    super(`The Python worker ${hung ?? `ended unexpectedly ${how}`}${during}${words}.`, {
      code: "worker_died",
      hint:
        hung !== undefined ? HUNG : end.signal === "SIGKILL" || memory !== undefined ? advice(end.method) : undefined,
      cause: end.stderr.length === 0 ? undefined : new Error(end.stderr.join("\n")),
    });
    this.end = end;
  }
}

const advice = (method = ""): string =>
  `${OUT_OF_MEMORY} ${ADVICE.find(([called]) => called.test(method))?.[1] ?? OTHERWISE}.`;

/** Every failure from the wire becomes a typed error here, and nowhere else. */
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
