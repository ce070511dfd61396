import type { HandleRef } from "../protocol/index.ts";
import { Handle } from "./handle.ts";
import type { Worker } from "./worker.ts";

/**
 * Owns objects in a worker until they are released or passed on, so that a failure half way leaves nothing in the
 * worker. Code that creates an object puts it into a scope, its own or the caller's:
 *
 *     await using scope = new Scope();
 *     const text = scope.use(await TextStream.open(worker, source));
 *     const contexts = scope.use(await Contexts.open(model, text, options));
 *     return new Buffer(contexts, scope.move());
 *
 * At the end of the block everything is released in one message, except objects passed on by `give` or `move`.
 */
export class Scope implements AsyncDisposable {
  readonly #owned = new Set<AsyncDisposable>();

  /** Takes ownership of `resource`; returns it. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.#owned.add(resource);
    return resource;
  }

  /** Takes ownership of an object that a call has just created. `what` names it in errors, e.g. "random stream". */
  own(worker: Worker, ref: HandleRef, what: string): Handle {
    return this.use(new Handle(worker, ref, what));
  }

  /** Passes ownership of `resource` to the caller; returns it. */
  give<T extends AsyncDisposable>(resource: T): T {
    this.#owned.delete(resource);
    return resource;
  }

  /** Moves everything to another scope, which is returned. */
  move(): Scope {
    const other = new Scope();
    for (const each of this.#owned) other.use(each);
    this.#owned.clear();
    return other;
  }

  /** Releases everything that is left. Throws the first failure after trying all. */
  async [Symbol.asyncDispose](): Promise<void> {
    const owned = [...this.#owned].reverse();
    this.#owned.clear();
    const results = await Promise.allSettled(owned.map(async (each) => await each[Symbol.asyncDispose]()));
    const failed = results.find((each) => each.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}
