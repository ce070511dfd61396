import type { HandleRef } from "../protocol/index.ts";
import { StaleHandleError } from "./errors.ts";
import type { Worker } from "./worker.ts";

/**
 * An object in the worker that this process owns: use `ref` in calls, and release it explicitly or with `await using`.
 */
export class Handle implements AsyncDisposable {
  readonly worker: Worker;
  readonly #ref: HandleRef;
  readonly #what: string;
  #released = false;

  /** `what` names the object in errors, e.g. "dictionary". */
  constructor(worker: Worker, ref: HandleRef, what: string) {
    this.worker = worker;
    this.#ref = ref;
    this.#what = what;
  }

  /** Throws `StaleHandleError` after the release. */
  get ref(): HandleRef {
    if (this.#released) throw new StaleHandleError(`This ${this.#what} was released and cannot be used any more.`);
    return this.#ref;
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    try {
      await this.worker.release(this.#ref);
    } catch (error) {
      // A lost worker has released everything, and the reason for its loss is reported elsewhere.
      if (this.worker.alive) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
