import type { MethodName, Params, Result } from "../protocol/index.ts";
import { calledFrom } from "./called-from.ts";
import type { Worker } from "./worker.ts";

type DataName = Exclude<MethodName, "ping" | "cancel" | "shutdown">;

/**
 * A pipeline of calls: up to `depth` are in flight, so the worker never waits for us, and the first failure stops all
 * later calls in both processes. Call `drain` before relying on pushed calls; with `await using`, nothing is in flight
 * after the block, even if it failed.
 */
export class CallWindow implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #depth: number;
  readonly #number: number;
  readonly #inFlight = new Set<Promise<unknown>>();
  #failure: unknown;
  #failed = false;

  constructor(worker: Worker, depth: number) {
    this.#worker = worker;
    this.#depth = depth;
    this.#number = worker.newWindow();
  }

  /** Sends a call once there is room. Throws the window's first failure, which may be of an earlier call. */
  async push<M extends DataName>(method: M, params: Params<M>, onResult?: (result: Result<M>) => void): Promise<void> {
    while (this.#inFlight.size >= this.#depth) await Promise.race(this.#inFlight);
    this.#throwIfFailed();
    const call = this.#worker
      .call(method, params, { window: this.#number })
      .then((result) => onResult?.(result))
      .catch((error: unknown) => {
        if (!this.#failed) this.#failure = error;
        this.#failed = true;
      });
    const tracked = call.finally(() => this.#inFlight.delete(tracked));
    this.#inFlight.add(tracked);
  }

  /** Waits until all pushed calls are done. Throws the first failure. */
  async drain(): Promise<void> {
    await Promise.all(this.#inFlight);
    this.#throwIfFailed();
  }

  /** Waits until nothing is in flight; throws nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  #throwIfFailed(): void {
    if (this.#failed) throw calledFrom(this.#failure);
  }
}
