import { Dealer } from "zeromq";

/** A bound socket with one send queue and one receive loop, which is all that zeromq.js allows at a time. */
export class Channel {
  readonly #socket = new Dealer({ linger: 0, sendHighWaterMark: 0, receiveHighWaterMark: 0 });
  #lastSend: Promise<void> = Promise.resolve();

  /** Binds, with `secretKey` as a CURVE server; returns the endpoint, with its port where that was left open. */
  async bind(endpoint: string, secretKey?: string): Promise<string> {
    if (secretKey !== undefined) {
      this.#socket.curveServer = true;
      this.#socket.curveSecretKey = secretKey;
    }
    await this.#socket.bind(endpoint);
    return this.#socket.lastEndpoint ?? endpoint;
  }

  /** Frames leave in the order of the calls. */
  async send(frames: readonly Uint8Array[]): Promise<void> {
    const send = this.#lastSend.then(() => this.#socket.send([...frames]));
    this.#lastSend = send.catch(() => undefined);
    await send;
  }

  /** Calls `receive` for every message until the channel is closed. */
  async listen(receive: (frames: Buffer[]) => void): Promise<void> {
    try {
      for await (const frames of this.#socket) receive(frames);
    } catch (error) {
      if (!this.#socket.closed) throw error;
    }
  }

  close(): void {
    if (!this.#socket.closed) this.#socket.close();
  }
}
