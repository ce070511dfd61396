import type { Interval } from "../evaluate/bootstrap.ts";

const integer = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 409600 → "409,600". */
export const count = (value: number): string => integer.format(value);

/**
 * A share as a percentage with one decimal, or two where it would round to 100%; other numbers with four significant
 * digits.
 */
export const statistic = (value: number, percent = false): string => {
  if (!Number.isFinite(value)) return "undefined";
  if (!percent) return String(Number(value.toPrecision(4)));
  const almostAll = value < 1 && value >= 0.9995;
  // Rounded down: one dead feature of many must not show as none.
  return almostAll ? `${(Math.floor(value * 1e4) / 100).toFixed(2)} %` : `${(value * 100).toFixed(1)} %`;
};

/** "85.1 % – 90.7 %". */
export const range = (interval: Interval | null, percent = false): string =>
  interval === null ? "" : interval.map((value) => statistic(value, percent)).join(" – ");

/** The last part of a path, a hub id or a path inside a package. */
export const shortName = (path: string): string => path.split(/[/#]/).findLast((part) => part !== "") ?? path;
