import type { HandleRef } from "../protocol/index.ts";

/** Collects the handles that are released at the same time, to send them in one message. */
export class Releases {
  readonly #send: (handles: HandleRef[]) => Promise<unknown>;
  #handles: HandleRef[] = [];
  #sent: Promise<unknown> | undefined;

  constructor(send: (handles: HandleRef[]) => Promise<unknown>) {
    this.#send = send;
  }

  /** Rejects when one of the handles in the message could not be released; the others are released. */
  async add(handle: HandleRef): Promise<void> {
    this.#handles.push(handle);
    this.#sent ??= Promise.resolve().then(async () => {
      const handles = this.#handles;
      this.#handles = [];
      this.#sent = undefined;
      await this.#send(handles);
    });
    await this.#sent;
  }
}
