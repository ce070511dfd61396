import type { HandleRef } from "../protocol/index.ts";

/** Gathers the handles that are released at one moment, so that they travel in one message. */
export class Releases {
  readonly #send: (handles: HandleRef[]) => Promise<unknown>;
  #handles: HandleRef[] = [];
  #sent: Promise<unknown> | undefined;

  constructor(send: (handles: HandleRef[]) => Promise<unknown>) {
    this.#send = send;
  }

  /** Rejects when one of the handles that travelled together could not be released; the others are. */
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
