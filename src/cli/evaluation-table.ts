import type { EvaluatedDictionary } from "../evaluate/evaluate-folders.ts";
import { type Evaluation, STATISTIC_LABELS, type Statistic } from "../evaluate/index.ts";
import { aligned } from "./aligned.ts";
import { count, number4 } from "./format.ts";

type Name = keyof Evaluation["statistics"];

/** The columns for a set, modelled on the seed's tables. */
const SET: readonly (readonly [name: Name, label: string, percent?: boolean])[] = [
  ["mean_square_error", "MSE"],
  ["root_mean_square_error", "RMSE"],
  ["l1", "L1"],
  ["l0", "L0"],
  ["alive", "alive", true],
  ["fraction_variance_explained", "explained", true],
  ["loss_recovered_zero", "recovered", true],
];

/** One dictionary: every statistic with its interval. Several: one line each, with the most telling statistics. */
export const evaluationTable = (results: readonly EvaluatedDictionary[]): string => {
  const [first] = results;
  if (results.length === 1 && first !== undefined) return single(first);
  const rows = results.map(({ name, evaluation: { statistics } }) => [
    name,
    ...SET.map(([key, , percent]) => shown(statistics[key], percent)),
  ]);
  const notes = results.map(({ evaluation }) => evaluation.tokens);
  return [
    aligned([["dictionary", ...SET.map(([, label]) => label)], ...rows]),
    "",
    `On ${count(Math.min(...notes))}${Math.max(...notes) > Math.min(...notes) ? ` to ${count(Math.max(...notes))}` : ""} tokens each; recovered: of the loss that zero ablation costs. --json prints the rest.`,
    ...lossNotes(results.map(({ evaluation }) => evaluation)),
  ].join("\n");
};

const single = ({ name, subject, evaluation }: EvaluatedDictionary): string => {
  const { statistics } = evaluation;
  const rows = STATISTIC_LABELS.flatMap(([key, label, percent]) => {
    const statistic = statistics[key];
    if (statistic === undefined) return [];
    return [[label, shown(statistic, percent), range(statistic, percent), count(statistic.tokens)]];
  });
  const where = subject.submodule === null ? "" : ` at ${subject.submodule} (${subject.io})`;
  const amount = subject.submodule === null ? "" : `${count(evaluation.contexts)} contexts of `;
  const text = `${amount}${subject.data}${subject.reserved ? ", documents not trained on" : ""}`;
  const table = aligned([["", "", "95 % interval", "tokens"], ...rows]);
  const reference = evaluation.reference === undefined ? [] : ["", ...referenceLines(evaluation.reference)];
  return [`${name}${where}, on ${text}`, "", table, ...lossNotes([evaluation]), ...reference].join("\n");
};

/** Each reason for missing losses, once. */
const lossNotes = (evaluations: readonly Evaluation[]): string[] => {
  const reasons = evaluations.flatMap(({ no_losses }) => (no_losses === undefined ? [] : [no_losses]));
  return [...new Set(reasons)].flatMap((reason) => ["", `The loss statistics are left out: ${reason}`]);
};

const referenceLines = (reference: NonNullable<Evaluation["reference"]>): string[] => [
  "As dictionary_learning ddac948 prints them (its mse_loss is the root):",
  aligned(Object.entries(reference).map(([key, value]) => [`  ${key}`, String(Number(value.toPrecision(7)))])),
];

const shown = (statistic: Statistic | undefined, percent = false): string =>
  statistic === undefined ? "" : format(statistic.value, percent);

const range = ({ interval }: Statistic, percent = false): string =>
  interval === null ? "" : `${format(interval[0], percent)} to ${format(interval[1], percent)}`;

const format = (value: number, percent: boolean): string => {
  if (!Number.isFinite(value)) return "undefined";
  return percent ? `${(value * 100).toFixed(1)} %` : number4(value);
};
