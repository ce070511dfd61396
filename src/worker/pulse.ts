/** Checks per timeout. A machine that slept wakes up between two of them, and the next check succeeds again. */
const LOOKS = 4;

export interface PulseOptions {
  /** Whether a call is pending. */
  readonly busy: () => boolean;
  /** Settles when the worker gives a heartbeat. */
  readonly ping: () => Promise<unknown>;
  readonly onLost: () => void;
}

/** Detects whether a busy worker is alive, and reports when no heartbeat came for `timeout` milliseconds. */
export class Pulse {
  readonly #timeout: number;
  readonly #options: PulseOptions;
  readonly #timer: NodeJS.Timeout;
  #silent = 0;
  #waiting = false;
  #lost = false;

  constructor(timeout: number, options: PulseOptions) {
    this.#timeout = timeout;
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), timeout / LOOKS);
    this.#timer.unref();
  }

  /** The timeout in milliseconds, once it has passed without a heartbeat. */
  get lostAfter(): number | undefined {
    return this.#lost ? this.#timeout : undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (!this.#options.busy()) {
      this.#silent = 0;
      return;
    }
    if (this.#waiting) this.#silent += 1;
    if (this.#silent >= LOOKS) {
      this.stop();
      this.#lost = true;
      this.#options.onLost();
      return;
    }
    if (this.#waiting) return;
    this.#waiting = true;
    const alive = () => {
      this.#waiting = false;
      this.#silent = 0;
    };
    this.#options.ping().then(alive, () => undefined);
  }
}
