import { ActivationBuffer, type RowSource } from "../buffer/index.ts";
import type { ResolvedRun } from "../config/index.ts";
import { DictlearnError } from "../errors.ts";
import { evaluate } from "../evaluate/evaluate.ts";
import { planEvaluation } from "../evaluate/plan.ts";
import { createTrainees } from "../train/assemble.ts";
import { Scope } from "../worker/index.ts";
import type { MeasureOptions } from "./measure-steps.ts";
import { clock } from "./timing.ts";

/** The time of the evaluation at the end of a run, in seconds. */
export interface EvaluationTiming {
  /** One context in both passes. */
  readonly context: number;
  /** Contexts measured. */
  readonly contexts: number;
}

/** Contexts run through the model at once, in the run and here. */
const CONTEXTS = 8;

/** Evaluates a fresh dictionary, the run's first, on a few contexts; null where the run has no evaluation or no text for it. */
export const measureEvaluation = async (
  source: RowSource,
  { config, dictionaries: [first] }: ResolvedRun,
  options: MeasureOptions,
): Promise<EvaluationTiming | null> => {
  if (config.evaluation === null || config.data?.evaluation_every === null) return null;
  if (!(source instanceof ActivationBuffer) || first?.submodule === undefined) return null;
  const { submodule, io, name } = first;
  const contexts = Math.min(CONTEXTS, config.evaluation.contexts);
  const plan = planEvaluation(
    { name, config: { run: config, origin: { submodule, io } }, configPath: "" },
    { contexts, compat: "none" },
  );
  if (plan.data === null) return null;
  await using scope = new Scope();
  const [trainee] = await createTrainees(source, [first], { ...options, scope });
  if (trainee === undefined) return null;
  const { dictionary } = trainee;
  // When a run evaluates, it has already freed the optimiser.
  await trainee[Symbol.asyncDispose]();
  const few = { ...plan.options, aliveTokens: 1, frequencyTokens: 1, signal: options.signal };
  const at = { model: source.languageModel, submodule, io, data: plan.data };
  let measured = 0;
  try {
    const seconds = await clock(async () => {
      measured = (await evaluate(dictionary, { ...few, ...at })).contexts;
    });
    return { context: seconds / measured, contexts: measured };
  } catch (error) {
    if (error instanceof DictlearnError && error.code === "no_tokens") return null;
    throw error;
  }
};
