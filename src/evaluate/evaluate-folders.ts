import { writeJson } from "../checkpoint/index.ts";
import { AutoEncoder } from "../dictionary/index.ts";
import { DictlearnError } from "../errors.ts";
import { Scope, type Worker } from "../worker/index.ts";
import { evaluate } from "./evaluate.ts";
import type { Evaluation } from "./evaluation.ts";
import type { EvaluationProgress } from "./measurement.ts";
import { Models } from "./models.ts";
import { requireReplaceable } from "./own-statistics.ts";
import { type EvaluationChoices, planEvaluation } from "./plan.ts";
import { type EvaluationSubject, subjectOf } from "./subject.ts";
import type { DictionaryOnDisk } from "./targets.ts";

export interface EvaluateFoldersOptions {
  readonly choices?: EvaluationChoices;
  /** Device of the model and the dictionaries: `auto`, `cpu`, `cuda`, `cuda:1`. */
  readonly device?: string;
  /** Write each evaluation next to its dictionary; throws if that would replace one with other settings. */
  readonly write?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Keeps models for later use; without it, they are released at the end. */
  readonly models?: Models;
  /** Progress: the current dictionary, and how far it is. */
  readonly onProgress?: ((progress: { name: string; stage: string; done: number; total: number }) => void) | undefined;
  /** Called when a dictionary is done. */
  readonly onResult?: (result: EvaluatedDictionary) => void;
}

export interface EvaluatedDictionary {
  readonly name: string;
  readonly weights: string;
  /** The dictionary and the inputs of an evaluation. */
  readonly subject: EvaluationSubject;
  readonly evaluation: Evaluation;
}

/** Evaluates dictionaries one by one; a model that several of them read is loaded once. */
export const evaluateFolders = async (
  dictionaries: readonly DictionaryOnDisk[],
  worker: Worker,
  options: EvaluateFoldersOptions = {},
): Promise<EvaluatedDictionary[]> => {
  const { choices = {}, device = "auto", write = true, signal, onProgress = () => {}, onResult = () => {} } = options;
  // Everything missing in a config is found before the first model is loaded.
  const plans = dictionaries.map((each) => planEvaluation(each, choices));
  if (write) for (const each of dictionaries) requireReplaceable(each, choices);
  await using scope = new Scope();
  const models = options.models ?? scope.use(new Models(worker, device, signal));
  const results: EvaluatedDictionary[] = [];
  for (const [index, each] of dictionaries.entries()) {
    const plan = plans[index];
    if (plan === undefined) continue;
    const progress: EvaluationProgress = (step) => onProgress({ name: each.name, ...step });
    const model = await models.take(plan, progress);
    const site = model === undefined || plan.place === null ? null : await model.site(plan.place);
    await using dictionary = await AutoEncoder.load(each.weights, { worker, device });
    const at =
      model === undefined || site === null || plan.data === null
        ? {}
        : { model, submodule: site.submodule, io: site.io, data: plan.data };
    const evaluation = await named(
      each.name,
      evaluate(dictionary, { ...plan.options, ...at, signal, onProgress: progress }),
    );
    const result = { name: each.name, weights: each.weights, subject: subjectOf(plan, site), evaluation };
    if (write) await writeJson(each.evaluation, { ...result.subject, ...evaluation });
    results.push(result);
    onResult(result);
  }
  return results;
};

/** If there are several dictionaries, a failure names the one that failed. */
const named = async <T>(name: string, work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DictlearnError) || error.code === "cancelled") throw error;
    const { code, hint } = error;
    throw new DictlearnError(`${name}: ${error.message}`, { code, hint, cause: error });
  }
};
