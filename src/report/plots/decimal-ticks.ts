/** The range of the values on an axis. */
export type Extent = readonly [low: number, high: number];

/** A logarithmic axis extends beyond its values by this factor. */
export const MARGIN = 1.25;
const [LEAST_TICKS, MOST_TICKS] = [3, 5];
/** Powers of ten to search values in. */
const [LEAST, MOST] = [-20, 20];

/**
 * The ticks of a logarithmic axis: 1, 2 and 5 times powers of ten; only the powers where these are too many, more
 * multiples where they are too few.
 */
export const decimalTicks = ([low, high]: Extent): number[] => {
  const powers = Array.from({ length: MOST - LEAST + 1 }, (_, index) => index + LEAST);
  const inside = (factors: readonly number[]) =>
    powers
      .flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)))
      .filter((tick) => tick >= low / MARGIN && tick <= high * MARGIN);
  const all = inside([1, 2, 5]);
  if (all.length > MOST_TICKS) return inside([1]);
  return all.length < LEAST_TICKS ? inside([1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8]) : all;
};
