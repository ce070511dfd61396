import { count, shortName } from "../format.ts";
import type { Evaluated } from "../report-data.ts";

/** The text that statistics were measured on, and how much of it, in a sentence; null without statistics. */
export const measuredOn = (evaluations: readonly Evaluated[]): string | null => {
  if (evaluations.length === 0) return null;
  const texts = [...new Set(evaluations.map(({ subject }) => textOf(subject)))].join(" and of ");
  const tokens = amount(evaluations.map(({ statistics }) => statistics.l0?.tokens ?? 0));
  // Cached rows have no contexts.
  if (evaluations.some(({ subject }) => subject.submodule === null)) return `Measured on ${tokens} rows of ${texts}.`;
  const contexts = amount(evaluations.map((each) => each.contexts));
  return `Measured on ${tokens} tokens in ${contexts} contexts of ${texts}.`;
};

/** The text of an evaluation, and whether the part that was read was reserved from training. */
const textOf = ({ data, reserved }: Evaluated["subject"]): string =>
  `${shortName(data ?? "text")}${reserved === true ? ", documents that training left out" : ""}`;

const amount = (values: readonly number[]): string => {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? count(least) : `${count(least)} to ${count(most)}`;
};
