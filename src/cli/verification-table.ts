import type { Verification, VerifiedDictionary, VerifiedNumber } from "../published/index.ts";
import { aligned } from "./aligned.ts";
import { count } from "./format.ts";

const HEADER = ["", "", "published", "measured", "95 % interval", "difference", "in intervals", ""];

/** Published and measured numbers side by side, one line for each layer and column, with notes for reading them. */
export const verificationTable = ({ dictionaries, missing, unknown }: Verification): string => {
  const formulas = new Map(dictionaries.flatMap((each) => each.numbers.map(({ title, formula }) => [title, formula])));
  const width = Math.max(...[...formulas.keys()].map((title) => title.length));
  const rows = dictionaries.flatMap((each) =>
    each.numbers.map((number, index) => [
      index === 0 ? nameOf(each) : "",
      number.title.padEnd(width),
      ...cellsOf(number),
    ]),
  );
  return [
    ...new Set(dictionaries.map(headline)),
    "",
    aligned([HEADER, ...rows]),
    "",
    ...[...formulas].map(([title, formula]) => `${title.padEnd(width)}  ${formula}`),
    "Agrees: differs by no more than rounding to three decimals and half the width of the interval, which is the unit",
    "of the last column but one.",
    ...(missing.length === 0 ? [] : ["", `Not there, and so not compared: ${missing.join(", ")}.`]),
    "",
    "Unknown:",
    ...unknown.map((each) => `  ${each}`),
  ].join("\n");
};

/** Where numbers disagree: each dictionary and its columns. */
export const placesOf = ({ dictionaries }: Verification): string =>
  dictionaries
    .filter(({ agrees }) => !agrees)
    .map((each) => {
      const titles = each.numbers.filter(({ agrees }) => !agrees).map(({ title }) => title);
      return `${nameOf(each)}: ${titles.join(", ")}`;
    })
    .join("; ");

const headline = ({ subject, tokens }: VerifiedDictionary): string => {
  const text = subject.reserved ? `${subject.data}, documents not trained on` : subject.data;
  return `${subject.model} on ${text}, ${count(tokens)} tokens`;
};

const nameOf = ({ set, site, layer }: VerifiedDictionary): string =>
  `${set} ${layer === null ? site : `layer ${layer} (${site})`}`;

const cellsOf = ({ published, measured, interval, difference, in_intervals, agrees }: VerifiedNumber): string[] => [
  published.toFixed(3),
  shown(measured),
  interval === null ? "" : `${shown(interval[0])} to ${shown(interval[1])}`,
  signed(difference, 4),
  in_intervals === null ? "" : signed(in_intervals, 2),
  agrees ? "agrees" : "DIFFERS",
];

/** One decimal more than published. */
const shown = (value: number): string => (Number.isFinite(value) ? value.toFixed(4) : "undefined");

const signed = (value: number, decimals: number): string =>
  Number.isFinite(value) ? `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(decimals)}` : "undefined";
