import type { HandleRef } from "../protocol/index.ts";
import { Handle } from "./handle.ts";
import type { Worker } from "./worker.ts";

/**
 * Owns what was made in a worker until it is done with or passed on, so that a failure in the middle leaves nothing in the
 * worker. Whoever makes an object puts it into a scope, or into one that the caller gave:
 *
 *     await using scope = new Scope();
 *     const text = scope.use(await TextStream.open(worker, source));
 *     const contexts = scope.use(await Contexts.open(model, text, options));
 *     return new Buffer(contexts, scope.move());
 *
 * At the end everything is released in one message, except what was passed on by `give` or `move`.
 */
export class Scope implements AsyncDisposable {
  readonly #owned = new Set<AsyncDisposable>();

  /** Owns `resource` from now on; returns it. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.#owned.add(resource);
    return resource;
  }

  /** Owns an object that a call has just made. `what` names it in errors, e.g. "random stream". */
  own(worker: Worker, ref: HandleRef, what: string): Handle {
    return this.use(new Handle(worker, ref, what));
  }

  /** Passes `resource` on to the caller, who releases it; returns it. */
  give<T extends AsyncDisposable>(resource: T): T {
    this.#owned.delete(resource);
    return resource;
  }

  /** Passes everything on to another scope, which is returned. */
  move(): Scope {
    const other = new Scope();
    for (const each of this.#owned) other.use(each);
    this.#owned.clear();
    return other;
  }

  /** Releases everything that is left. Throws the first failure after all were tried. */
  async [Symbol.asyncDispose](): Promise<void> {
    const owned = [...this.#owned].reverse();
    this.#owned.clear();
    const results = await Promise.allSettled(owned.map(async (each) => await each[Symbol.asyncDispose]()));
    const failed = results.find((each) => each.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}
