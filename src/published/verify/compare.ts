import type { Evaluation, Interval, StatisticName } from "../../evaluate/index.ts";
import type { PublishedColumn, PublishedStatistics } from "../published-set.ts";
import { PUBLISHED_COLUMNS } from "../registry.ts";

/** A column of the authors' tables, or their later correction of one. */
export type VerifiedColumn = PublishedColumn | "corrected_mean_square_error";

/** One published number with the measured one. */
export interface VerifiedNumber {
  readonly column: VerifiedColumn;
  /** As in the table. */
  readonly title: string;
  /** Its definition, whatever the title says. */
  readonly formula: string;
  /** The same number's name in `dictlearn evaluate`. */
  readonly statistic: StatisticName | "alive";
  readonly published: number;
  /** NaN where it is not defined. */
  readonly measured: number;
  /** 95% confidence interval of the measured number; null where there are fewer than two contexts. */
  readonly interval: Interval | null;
  /** measured − published. */
  readonly difference: number;
  /** The difference in units of half the interval's width; null where that is 0 or unknown. */
  readonly in_intervals: number | null;
  /** The allowed difference: half a unit of the last printed digit, and `HALF_WIDTHS` of half the interval's width. */
  readonly tolerance: number;
  readonly agrees: boolean;
}

/** The tables are printed with three decimals. */
const HALF_A_UNIT = 0.5e-3;
/**
 * The interval gives the sampling error of this sample. The authors' numbers come from a sample too, of unknown size:
 * we assume the same size, so two equal dictionaries differ by √2 times as much. And a table has thirty numbers, none
 * of which may fail by chance: 2.5 halves of a 95% interval are 3.5 standard deviations of such a difference.
 */
const HALF_WIDTHS = 2.5;
/** Published numbers are decimal fractions, which floats only approximate. */
const SLACK = 1e-9;

const COLUMNS: Readonly<Record<VerifiedColumn, Pick<VerifiedNumber, "title" | "formula" | "statistic">>> = {
  ...PUBLISHED_COLUMNS,
  corrected_mean_square_error: {
    title: "MSE loss, corrected",
    formula: "mean over rows and coordinates of (x − x̂)²",
    statistic: "mean_square_error",
  },
};

/** Every published number against the statistic that has its formula, in the order of the table. */
export const compareStatistics = (
  published: PublishedStatistics,
  measured: Evaluation["statistics"],
): readonly VerifiedNumber[] =>
  (Object.keys(COLUMNS) as VerifiedColumn[]).flatMap((column) => {
    const stated = published[column];
    if (stated === undefined) return [];
    const { value = Number.NaN, interval = null } = measured[COLUMNS[column].statistic] ?? {};
    return [{ column, ...COLUMNS[column], ...compareNumbers(stated, { value, interval }) }];
  });

/** Whether a rounded number from one sample and a measured one from another can describe the same dictionary. */
export const compareNumbers = (
  published: number,
  { value, interval }: { readonly value: number; readonly interval: Interval | null },
): Omit<VerifiedNumber, "column" | "title" | "formula" | "statistic"> => {
  const half = interval === null ? 0 : (interval[1] - interval[0]) / 2;
  const difference = value - published;
  const tolerance = HALF_A_UNIT + (Number.isFinite(half) ? HALF_WIDTHS * half : 0);
  return {
    published,
    measured: value,
    interval,
    difference,
    in_intervals: half > 0 ? difference / half : null,
    tolerance,
    agrees: Math.abs(difference) <= tolerance + SLACK,
  };
};
