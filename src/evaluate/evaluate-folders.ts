import { writeJson } from "../checkpoint/index.ts";
import { AutoEncoder } from "../dictionary/index.ts";
import { DictlearnError } from "../errors.ts";
import { version } from "../version.ts";
import { Scope, type Worker } from "../worker/index.ts";
import { evaluate } from "./evaluate.ts";
import type { Evaluation } from "./evaluation.ts";
import type { EvaluationProgress } from "./measurement.ts";
import { Models } from "./models.ts";
import { type EvaluationChoices, type EvaluationPlan, planEvaluation } from "./plan.ts";
import type { DictionaryOnDisk } from "./targets.ts";

export interface EvaluateFoldersOptions {
  readonly choices?: EvaluationChoices;
  /** Where the model and the dictionaries are: `auto`, `cpu`, `cuda`, `cuda:1`. */
  readonly device?: string;
  /** Write each evaluation beside its dictionary. */
  readonly write?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Where models are kept that are used again afterwards; without it, they are released at the end. */
  readonly models?: Models;
  /** Which dictionary is at work, and how far. */
  readonly onProgress?: ((progress: { name: string; stage: string; done: number; total: number }) => void) | undefined;
  /** Called as soon as a dictionary is done. */
  readonly onResult?: (result: EvaluatedDictionary) => void;
}

export interface EvaluatedDictionary {
  readonly name: string;
  readonly weights: string;
  /** What was evaluated on what. */
  readonly subject: EvaluationSubject;
  readonly evaluation: Evaluation;
}

/** What an evaluation is of: written into `evaluation.json` with it. */
export interface EvaluationSubject {
  readonly dictlearn: string;
  readonly model: string | null;
  readonly submodule: string | null;
  readonly io: string | null;
  /** The text's path, or the file of rows. */
  readonly data: string | null;
  /** Whether the text is the part of the run's own that was never trained on. */
  readonly reserved: boolean;
  readonly ctx_len: number | null;
  readonly seed: number;
  readonly compat: "none" | "ddac948";
}

/** Evaluates dictionaries one after the other; a model that several of them read is loaded once. */
export const evaluateFolders = async (
  dictionaries: readonly DictionaryOnDisk[],
  worker: Worker,
  options: EvaluateFoldersOptions = {},
): Promise<EvaluatedDictionary[]> => {
  const { choices = {}, device = "auto", write = true, signal, onProgress = () => {}, onResult = () => {} } = options;
  // Whatever a config lacks is found before the first model is loaded.
  const plans = dictionaries.map((each) => planEvaluation(each, choices));
  await using scope = new Scope();
  const models = options.models ?? scope.use(new Models(worker, device, signal));
  const results: EvaluatedDictionary[] = [];
  for (const [index, each] of dictionaries.entries()) {
    const plan = plans[index];
    if (plan === undefined) continue;
    const progress: EvaluationProgress = (step) => onProgress({ name: each.name, ...step });
    const model = await models.take(plan, progress);
    await using dictionary = await AutoEncoder.load(each.weights, { worker, device });
    const at =
      model === undefined || plan.site === null || plan.data === null
        ? {}
        : { model, submodule: plan.site.submodule, io: plan.site.io, data: plan.data };
    const evaluation = await named(
      each.name,
      evaluate(dictionary, { ...plan.options, ...at, signal, onProgress: progress }),
    );
    const result = { name: each.name, weights: each.weights, subject: subjectOf(plan), evaluation };
    if (write) await writeJson(each.evaluation, { ...result.subject, ...evaluation });
    results.push(result);
    onResult(result);
  }
  return results;
};

/** The facts of a plan that go into `evaluation.json`. */
export const subjectOf = ({ model, site, data, options }: EvaluationPlan): EvaluationSubject => ({
  dictlearn: version,
  model: model?.path ?? null,
  submodule: site?.submodule ?? null,
  io: site?.io ?? null,
  data: data?.path ?? options.activations ?? null,
  reserved: data?.part?.take === "evaluation",
  ctx_len: options.buffer?.ctx_len ?? null,
  seed: options.seed ?? 0,
  compat: options.compat ?? "none",
});

/** A failure of one dictionary of several says which one it was. */
const named = async <T>(name: string, work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DictlearnError) || error.code === "cancelled") throw error;
    const { code, hint, exitCode } = error;
    throw new DictlearnError(`${name}: ${error.message}`, { code, hint, exitCode, cause: error });
  }
};
