import { Dealer } from "zeromq";

/**
 * A bound socket with one send queue and one receive loop, the most that zeromq.js allows at a time. A socket that
 * waits for a message keeps Node running; one that expects none does not wait.
 */
export class Channel {
  readonly #socket = new Dealer({ linger: 0, sendHighWaterMark: 0, receiveHighWaterMark: 0 });
  #lastSend: Promise<void> = Promise.resolve();
  #listenAgain = (): void => {};

  /** Binds, with `secretKey` as a CURVE server; returns the endpoint, including a port that the system chose. */
  async bind(endpoint: string, secretKey?: string): Promise<string> {
    if (secretKey !== undefined) {
      this.#socket.curveServer = true;
      this.#socket.curveSecretKey = secretKey;
    }
    await this.#socket.bind(endpoint);
    return this.#socket.lastEndpoint ?? endpoint;
  }

  /** Frames are sent in call order. */
  async send(frames: readonly Uint8Array[]): Promise<void> {
    const send = this.#lastSend.then(() => this.#socket.send([...frames]));
    this.#lastSend = send.catch(() => undefined);
    this.#listenAgain();
    await send;
  }

  /**
   * Calls `receive` for every message, while one is expected, until the channel is closed. Each send checks again
   * whether one is.
   */
  async listen(receive: (frames: Buffer[]) => void, expected: () => boolean = () => true): Promise<void> {
    try {
      while (!this.#socket.closed) {
        if (expected()) receive(await this.#socket.receive());
        else await new Promise<void>((resolve) => (this.#listenAgain = resolve));
      }
    } catch (error) {
      if (!this.#socket.closed) throw error;
    }
  }

  close(): void {
    if (!this.#socket.closed) this.#socket.close();
    this.#listenAgain();
  }
}
