import type { DictlearnError } from "../../errors.ts";
import { calledFrom, fromRemote, type RemoteFailure } from "../../worker/index.ts";
import type { BridgeMessage, Connection } from "./pythonia.ts";

type Receiver = (message: BridgeMessage) => unknown;

/** Carries pythonia's messages, and matches failures to requests. */
export class Transport implements Connection {
  readonly #send: (text: string) => void;
  readonly #receivers = new Map<number | string, Receiver>();
  readonly #failed = new Map<number, (error: Error) => void>();
  #lastRequest: number | undefined;
  #closedBy: Error | undefined;

  constructor(send: (text: string) => void) {
    this.#send = send;
  }

  /** Runs `start`, which sends one request at once, and rejects when Python answers that with a failure, or is gone. */
  async request<T>(start: () => Promise<T>): Promise<T> {
    if (this.#closedBy !== undefined) throw this.#closedBy;
    this.#lastRequest = undefined;
    const answer = start();
    const id = this.#lastRequest;
    if (id === undefined) return await answer;
    try {
      return await Promise.race([answer, new Promise<never>((_, reject) => this.#failed.set(id, reject))]);
    } catch (error) {
      throw calledFrom(error);
    } finally {
      this.#failed.delete(id);
      this.#receivers.delete(id);
    }
  }

  register(id: number | string, receive: Receiver): void {
    this.#receivers.set(id, receive);
  }

  write(message: { readonly r: number }, receive?: Receiver): void {
    if (receive !== undefined) this.#open(message.r, receive);
    this.#send(JSON.stringify(message));
  }

  writeRaw(text: string, id: number, receive: Receiver): void {
    this.#open(id, receive);
    this.#send(text);
  }

  /** One message from Python: an answer, a failure, or a request to JavaScript. */
  receive(text: string): void {
    const message = JSON.parse(text) as BridgeMessage;
    if (message.c !== undefined) {
      this.#receivers.get(message.c)?.(message);
    } else if (message.r !== undefined) {
      if (message.key === "error") this.#failed.get(message.r)?.(failureOf(message));
      else this.#receivers.get(message.r)?.(message);
    }
  }

  /** Rejects all pending and future requests. */
  close(error: Error): void {
    this.#closedBy ??= error;
    for (const reject of this.#failed.values()) reject(error);
  }

  #open(id: number, receive: Receiver): void {
    this.#lastRequest = id;
    this.#receivers.set(id, receive);
  }
}

const failureOf = ({ sig = "" }: BridgeMessage): DictlearnError =>
  fromRemote(JSON.parse(sig) as RemoteFailure, "the bridge");
