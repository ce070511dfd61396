import { ConfigError } from "../errors.ts";
import { realPath } from "../real-path.ts";
import { type EvaluationFile, readEvaluation } from "./evaluation-file.ts";
import { type EvaluationChoices, type EvaluationPlan, planEvaluation } from "./plan.ts";
import { type EvaluationSubject, placeText, subjectOf } from "./subject.ts";
import type { DictionaryOnDisk } from "./targets.ts";

/**
 * Throws a `ConfigError` where statistics would replace different ones: an evaluation.json is overwritten only with its
 * run's own settings, or with those that it already has.
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

/** Whether a plan uses exactly the settings of the dictionary's run; false where the run records too little. */
export const isOwn = (on: DictionaryOnDisk, plan: EvaluationPlan): boolean => {
  const own = ownPlan(on);
  return own !== undefined && identity(own) === identity(plan);
};

/** Whether the dictionary's run records everything that an evaluation needs. */
export const hasOwn = (on: DictionaryOnDisk): boolean => ownPlan(on) !== undefined;

const ownPlan = (on: DictionaryOnDisk): EvaluationPlan | undefined => {
  try {
    return planEvaluation(on, {});
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
};

/** Everything that the statistics depend on, as text; except how many contexts run at once. */
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

/** The differences of a file's settings, `key: there, not now`. Keys that an old file lacks are ignored. */
const otherSubject = (there: EvaluationFile, subject: EvaluationSubject): string[] => {
  // Only the model knows which module a place is.
  const { dictlearn: _, submodule: __, io: ___, ...now } = subject;
  return Object.entries(now).flatMap(([key, value]) => {
    const before = key === "place" ? placeThere(there) : there[key as keyof EvaluationSubject];
    if (before === undefined || same(before, value)) return [];
    return [`${key} is ${text(before)} there, not ${text(value)}`];
  });
};

/** Older files name only the module. */
const placeThere = ({ place, submodule, io }: EvaluationFile): string | null | undefined =>
  place !== undefined || typeof submodule !== "string" ? place : `${submodule} (${io})`;

const same = (one: unknown, other: unknown): boolean =>
  typeof one === "string" && typeof other === "string" ? realPath(one) === realPath(other) : one === other;

const text = (value: unknown): string =>
  value === null ? "not given" : typeof value === "string" ? value : JSON.stringify(value);

/** The same for the amount of text. Amounts beyond the end of the text are equal: all of it. */
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
