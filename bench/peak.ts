import { spread } from "./table.ts";

/** Width of a square matrix, as in peak.py. */
const SIDE = 2048;

/**
 * "23 (12–32) %": `operations` floating-point operations in these seconds as a share of the machine's peak. The
 * peak is the rate of the fastest product of square matrices that took turns with them.
 */
export const shareOfPeak = (operations: number, seconds: readonly number[], products: readonly number[]): string => {
  const peak = (2 * SIDE ** 3) / Math.min(...products);
  return `${spread(
    seconds.map((each) => (100 * operations) / each / peak),
    0,
  )} %`;
};

export const PEAK_NOTE = `Share of the peak: of the products that it needs, at the rate of the fastest product of two ${SIDE} × ${SIDE} matrices in the same run`;

/** A step's work: encoding every feature, and for the active ones decoding and three products for gradients. */
export const stepOperations = (batch: number, width: number, features: number, l0: number): number =>
  2 * batch * width * (features + 4 * l0);
