/** The first Ctrl-C (or SIGTERM) fires the signal; the second ends the process at once. */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #listener: () => void;

  constructor(options: { readonly onFirst: () => void; readonly onSecond: () => void }) {
    this.#listener = () => {
      if (this.signal.aborted) {
        options.onSecond();
        process.exit(130);
      }
      options.onFirst();
      this.#controller.abort();
    };
    process.on("SIGINT", this.#listener);
    process.on("SIGTERM", this.#listener);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    process.off("SIGINT", this.#listener);
    process.off("SIGTERM", this.#listener);
  }
}
