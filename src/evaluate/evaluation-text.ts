import { Contexts, type ContextsOptions } from "../activations/index.ts";
import { ConfigError } from "../errors.ts";
import type { LanguageModel } from "../nnsight/index.ts";
import { type Documents, type TextPart, type TextSource, TextStream } from "../text/index.ts";

export interface EvaluationTextOptions {
  readonly contexts: ContextsOptions;
  /** Which of a script's documents to take. A `TextSource` has its own selection. */
  readonly part?: TextPart | null | undefined;
}

/** Text that is read from its beginning as often as needed, so none of it has to stay in memory. */
export class EvaluationText {
  readonly model: LanguageModel;
  readonly #data: Documents | TextSource;
  readonly #options: EvaluationTextOptions;

  /** `data` may be anything that can be iterated more than once: an array or a dataset, but not a generator. */
  constructor(model: LanguageModel, data: Documents | TextSource, options: EvaluationTextOptions) {
    if (!("path" in data) && isOneShot(data)) {
      throw new ConfigError(
        "Evaluation reads its text more than once, but was given an iterator, which ends for good.",
        {
          hint: "Give an array, or an object whose [Symbol.iterator] starts anew each time.",
        },
      );
    }
    this.model = model;
    this.#data = data;
    this.#options = options;
  }

  /** The contexts from the first one on; `use` may not keep them. */
  async read<T>(use: (contexts: Contexts) => Promise<T>): Promise<T> {
    const { worker } = this.model;
    await using text =
      "path" in this.#data
        ? await TextStream.open(worker, this.#data, this.model)
        : await TextStream.from(worker, this.#data, this.#options.part ?? null);
    await using contexts = await Contexts.open(this.model, text, this.#options.contexts);
    return await use(contexts);
  }
}

/** An iterator returns itself; a collection creates a new one. */
const isOneShot = (data: Documents): boolean => {
  if (Symbol.asyncIterator in data) return (data[Symbol.asyncIterator]() as unknown) === data;
  return (data[Symbol.iterator]() as unknown) === data;
};
