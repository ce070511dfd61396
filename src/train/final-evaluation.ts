import { ActivationBuffer, type RowSource } from "../buffer/index.ts";
import { type DictionaryFolder, type OutputFolder, writeJson } from "../checkpoint/index.ts";
import type { ResolvedRun } from "../config/index.ts";
import { AutoEncoder } from "../dictionary/index.ts";
import { CancelledError, DictlearnError } from "../errors.ts";
import { evaluate } from "../evaluate/evaluate.ts";
import { planEvaluation } from "../evaluate/plan.ts";
import { subjectOf } from "../evaluate/subject.ts";
import type { Observer } from "./events.ts";
import { explainEvaluation } from "./outputs.ts";
import { isLoss } from "./restart.ts";

interface Options {
  readonly run: ResolvedRun;
  readonly observe: Observer;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Evaluates, then removes the resume state: losing the worker during the evaluation costs a few steps, not the run.
 * After any other failure the run ends without an evaluation.
 */
export const finishRun = async (
  source: RowSource,
  folders: readonly DictionaryFolder[],
  { output, ...options }: Options & { readonly output: OutputFolder },
): Promise<void> => {
  try {
    await evaluateRun(source, folders, options);
  } catch (error) {
    if (isLoss(error)) throw error;
    output.resume.remove();
    throw explainEvaluation(error, output);
  }
  output.resume.remove();
};

/**
 * Evaluates the trained dictionaries on the reserved text and writes `evaluation.json`. Runs after the weights are
 * saved and changes none of them; Ctrl-C ends it safely.
 */
const evaluateRun = async (
  source: RowSource,
  folders: readonly DictionaryFolder[],
  { run, observe, signal }: Options,
): Promise<void> => {
  const { config, dictionaries } = run;
  if (config.evaluation === null || !(source instanceof ActivationBuffer)) return;
  if (config.data?.evaluation_every === null) {
    observe({ type: "notice", message: "No evaluation, because data.evaluation_every is null: no text is reserved." });
    return;
  }
  for (const [index, { name, submodule, io }] of dictionaries.entries()) {
    const folder = folders[index];
    if (folder === undefined || submodule === undefined) continue;
    const of = { name, config: { run: config, origin: { submodule, io } }, configPath: folder.config };
    const plan = planEvaluation(of, {});
    if (plan.data === null) continue;
    try {
      // The saved weights hold for unscaled rows; those in training may be for scaled rows.
      const { worker } = source;
      await using dictionary = await AutoEncoder.load(folder.weights, { worker, device: config.device });
      const evaluation = await evaluate(dictionary, {
        ...plan.options,
        model: source.languageModel,
        submodule,
        io,
        data: plan.data,
        signal,
        onProgress: (progress) => observe({ type: "evaluating", dictionary: name, ...progress }),
      });
      await writeJson(folder.evaluation, { ...subjectOf(plan, { submodule, io }), ...evaluation });
      if (evaluation.no_losses !== undefined) {
        observe({ type: "notice", message: `The loss statistics are left out: ${evaluation.no_losses}` });
      }
      observe({ type: "evaluated", dictionary: name, evaluation, path: folder.evaluation });
    } catch (error) {
      const message = whyNot(error, signal);
      if (message === undefined) throw error;
      observe({ type: "notice", message });
      return;
    }
  }
};

/** The two ways in which the evaluation may be missing although the run succeeded. */
const whyNot = (error: unknown, signal: AbortSignal | undefined): string | undefined => {
  if (signal?.aborted && error instanceof CancelledError) return "The evaluation was stopped; the weights are saved.";
  if (error instanceof DictlearnError && error.code === "no_tokens") {
    return "No evaluation: the text is too short to reserve any of it. `dictlearn evaluate --data PATH` takes other text.";
  }
  return undefined;
};
