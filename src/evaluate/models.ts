import { LanguageModel } from "../nnsight/index.ts";
import type { Worker } from "../worker/index.ts";
import type { EvaluationProgress } from "./measurement.ts";
import type { EvaluationPlan } from "./plan.ts";

/** The current model; replaced when another one is requested. */
export class Models implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #device: string;
  readonly #signal: AbortSignal | undefined;
  #key = "";
  #model: LanguageModel | undefined;

  constructor(worker: Worker, device: string, signal: AbortSignal | undefined) {
    this.#worker = worker;
    this.#device = device;
    this.#signal = signal;
  }

  async take(
    { model }: Pick<EvaluationPlan, "model">,
    onProgress: EvaluationProgress,
  ): Promise<LanguageModel | undefined> {
    if (model === null) return undefined;
    const key = JSON.stringify(model);
    if (key === this.#key) return this.#model;
    await this.release();
    this.#model = await LanguageModel.load(model.path, {
      worker: this.#worker,
      device: this.#device,
      dtype: model.dtype,
      revision: model.revision,
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
      onProgress,
    });
    this.#key = key;
    return this.#model;
  }

  async release(): Promise<void> {
    await this.#model?.[Symbol.asyncDispose]();
    this.#model = undefined;
    this.#key = "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
