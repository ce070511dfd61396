import { ensureEnvironment } from "../../environment/index.ts";
import { Worker } from "../../worker/index.ts";
import type { DownloadOptions } from "./set-download.ts";

/** The worker that checks weights, started on first use. */
export class Inspector implements AsyncDisposable {
  readonly #options: Pick<DownloadOptions, "worker" | "python">;
  #started: Promise<Worker> | undefined;

  constructor(options: Pick<DownloadOptions, "worker" | "python">) {
    this.#options = options;
  }

  readonly worker = async (): Promise<Worker> => {
    const { worker, python } = this.#options;
    if (worker !== undefined) return worker;
    this.#started ??= ensureEnvironment({ python }).then(async (environment) => await Worker.start(environment));
    return await this.#started;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#started?.catch(() => undefined))?.close();
  }
}
