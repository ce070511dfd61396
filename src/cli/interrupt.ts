import { isClosed } from "./closed-output.ts";

/**
 * The first Ctrl-C (or SIGTERM, or a reader of the output that exits) fires the signal; a second Ctrl-C ends the
 * process at once.
 */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #listener: () => void;
  readonly #closed: (error: Error) => void;

  constructor(options: { readonly onFirst: () => void; readonly onSecond: () => void }) {
    this.#listener = () => {
      if (this.signal.aborted) {
        options.onSecond();
        process.exit(130);
      }
      options.onFirst();
      this.#controller.abort();
    };
    this.#closed = (error) => {
      if (isClosed(error)) this.#controller.abort();
    };
    process.stdout.on("error", this.#closed);
    process.stderr.on("error", this.#closed);
    process.on("SIGINT", this.#listener);
    process.on("SIGTERM", this.#listener);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    process.stdout.off("error", this.#closed);
    process.stderr.off("error", this.#closed);
    process.off("SIGINT", this.#listener);
    process.off("SIGTERM", this.#listener);
  }
}
