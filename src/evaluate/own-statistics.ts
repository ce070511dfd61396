import { ConfigError } from "../errors.ts";
import { realPath } from "../real-path.ts";
import { type EvaluationFile, readEvaluation } from "./evaluation-file.ts";
import { type EvaluationChoices, type EvaluationPlan, planEvaluation } from "./plan.ts";
import { type EvaluationSubject, placeText, subjectOf } from "./subject.ts";
import type { DictionaryOnDisk } from "./targets.ts";

/**
 * Throws a `ConfigError` where statistics would take the place of others: an evaluation.json is written again with its
 * run's own settings, or with those that it has.
 */
export const requireReplaceable = (on: DictionaryOnDisk, choices: EvaluationChoices): void => {
  const plan = planEvaluation(on, choices);
  if (isOwn(on, plan)) return;
  const there = readEvaluation(on.evaluation);
  if (there === null) return;
  const own = ownPlan(on);
  const different = [...otherSubject(there, subjectOf(plan, null)), ...otherAmounts(there, { plan, own })];
  if (different.length === 0) return;
  throw new ConfigError(`${on.evaluation} has other statistics and is not replaced: ${different.join("; ")}.`, {
    code: "other_statistics",
    hint: `Write these to a file of their own with --output FILE${own === undefined ? "" : "; without these options the run's own are measured again"}.`,
  });
};

/** Whether a plan is what the dictionary's run says by itself; false where it says too little. */
export const isOwn = (on: DictionaryOnDisk, plan: EvaluationPlan): boolean => {
  const own = ownPlan(on);
  return own !== undefined && identity(own) === identity(plan);
};

/** Whether the dictionary's run says everything that an evaluation needs. */
export const hasOwn = (on: DictionaryOnDisk): boolean => ownPlan(on) !== undefined;

const ownPlan = (on: DictionaryOnDisk): EvaluationPlan | undefined => {
  try {
    return planEvaluation(on, {});
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
};

/** Everything that the statistics depend on, as text; how many contexts run at once is not among it. */
const identity = ({ model, place, data, options }: EvaluationPlan): string => {
  const { batchSize: _, transfer: __, activations, ...rest } = options;
  return JSON.stringify({
    model: model === null ? null : { ...model, path: realPath(model.path) },
    place: placeText(place),
    data: data === null ? null : { ...data, path: realPath(data.path) },
    activations: activations === undefined ? null : realPath(activations),
    ...rest,
  });
};

/** In what a file's statistics are of something else, `key: there, not now`. What an old file does not say is let pass. */
const otherSubject = (there: EvaluationFile, subject: EvaluationSubject): string[] => {
  // The model decides which module a place is.
  const { dictlearn: _, submodule: __, io: ___, ...now } = subject;
  return Object.entries(now).flatMap(([key, value]) => {
    const before = key === "place" ? placeThere(there) : there[key as keyof EvaluationSubject];
    if (before === undefined || same(before, value)) return [];
    return [`${key} is ${text(before)} there, not ${text(value)}`];
  });
};

/** Older files name the module alone. */
const placeThere = ({ place, submodule, io }: EvaluationFile): string | null | undefined =>
  place !== undefined || typeof submodule !== "string" ? place : `${submodule} (${io})`;

const same = (one: unknown, other: unknown): boolean =>
  typeof one === "string" && typeof other === "string" ? realPath(one) === realPath(other) : one === other;

const text = (value: unknown): string =>
  value === null ? "not given" : typeof value === "string" ? value : JSON.stringify(value);

/** The same for how much was read. Amounts that the text ends before are the same amount: all of it. */
const otherAmounts = (
  there: EvaluationFile,
  { plan, own }: { readonly plan: EvaluationPlan; readonly own: EvaluationPlan | undefined },
): string[] => {
  const read = {
    contexts: there.contexts,
    aliveTokens: there.statistics.alive?.tokens,
    frequencyTokens: there.frequencies.tokens,
  };
  return AMOUNTS.flatMap(([key, label]) => {
    const [before, wanted, usual] = [read[key], plan.options[key], own?.options[key]];
    if (before === undefined || wanted === undefined || wanted === before || wanted === usual) return [];
    const exhausted = before < wanted && (usual === undefined || before < usual);
    return exhausted ? [] : [`${label} are ${before} there, not ${wanted}`];
  });
};

const AMOUNTS = [
  ["contexts", "contexts"],
  ["aliveTokens", "tokens for alive features"],
  ["frequencyTokens", "tokens for frequencies"],
] as const;
