import type { Progress } from "../protocol/index.ts";
import { decode } from "./codec.ts";
import { fromRemote } from "./errors.ts";

/** A reply: the result, and raw frames if the method sends any. */
export interface Reply<T> {
  readonly result: T;
  readonly frames: readonly Uint8Array[];
}

interface PendingCall {
  readonly method: string;
  readonly resolve: (reply: Reply<unknown>) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/** The pending calls, by number. */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  #nextId = 1;
  #closedBy: Error | undefined;

  /** The oldest unanswered method: the worker is busy with it. */
  get oldest(): string | undefined {
    return this.#calls.values().next().value?.method;
  }

  get size(): number {
    return this.#calls.size;
  }

  open(method: string, onProgress?: (progress: Progress) => void): { id: number; reply: Promise<Reply<unknown>> } {
    if (this.#closedBy !== undefined) throw this.#closedBy;
    const id = this.#nextId++;
    const reply = new Promise<Reply<unknown>>((resolve, reject) => {
      this.#calls.set(id, { method, resolve, reject, onProgress });
    });
    return { id, reply };
  }

  /** Settles the call that a message answers; ignores an answer without a pending call. */
  receive(frames: readonly Buffer[]): void {
    const [head, ...rest] = frames;
    if (head === undefined) return;
    const message = decode(head);
    const call = this.#calls.get(message.id);
    if (call === undefined) return;
    if ("event" in message) {
      call.onProgress?.(message.event as Progress);
      return;
    }
    this.#calls.delete(message.id);
    if ("error" in message) call.reject(fromRemote(message.error, call.method));
    else call.resolve({ result: message.ok, frames: rest });
  }

  /** Rejects all pending and future calls with one error. */
  close(error: Error): void {
    this.#closedBy ??= error;
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }
}
