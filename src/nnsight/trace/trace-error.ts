import { DictlearnError } from "../../errors.ts";
import type { CallSite } from "./call-site.ts";

export interface TraceFailure {
  readonly code: string;
  /** The method of the script that recorded the operation, such as `replace`. */
  readonly operation: string;
  readonly site: CallSite;
  /** The Python exception, `IndexError: index 99 is out of bounds`; undefined where none was raised. */
  readonly python?: string | undefined;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/**
 * A recorded trace cannot be run, or failed while it ran. `site` is the line of the script that recorded the operation,
 * `cause` the worker's error, with Python's traceback as its own cause.
 *
 * Codes: `trace_module` a module that does not run, `trace_shape`, `trace_order` a value that is available too late in
 * the forward pass, `trace_not_a_tensor`, `trace_no_part`, `trace_gradient`, `trace_misuse`, and `trace_failed` for any
 * other Python exception.
 */
export class TraceError extends DictlearnError {
  override readonly name = "TraceError";
  readonly operation: string;
  /** `/home/me/script.ts:12:9`. */
  readonly site: string;
  readonly python: string | undefined;

  constructor(message: string, failure: TraceFailure) {
    const site = failure.site.toString();
    super(`${site}: ${failure.operation}: ${message}`, failure);
    this.operation = failure.operation;
    this.site = site;
    this.python = failure.python;
  }
}
