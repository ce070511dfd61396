import { type ClaimOptions, OutputFolder } from "../checkpoint/index.ts";

/** The output folder of a run: taken once the input is checked, and released without a trace if no run started. */
export class RunFolder implements AsyncDisposable {
  readonly #path: string;
  readonly #options: ClaimOptions;
  #output: OutputFolder | undefined;
  #kept = false;

  constructor(path: string, options: ClaimOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** The folder, once it holds a run. */
  get output(): OutputFolder | undefined {
    return this.#kept || this.#options.resume ? this.#output : undefined;
  }

  async claim(): Promise<OutputFolder> {
    this.#output ??= await OutputFolder.claim(this.#path, this.#options);
    return this.#output;
  }

  /** From now on the folder holds a run. */
  keep(): void {
    this.#kept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#kept && this.#options.resume !== true) this.#output?.resume.remove();
    await this.#output?.[Symbol.asyncDispose]();
  }
}
