/** Frequencies of features in logarithmic bins from 1e-5 to 1: comparable between dictionaries of any size. */
export interface FrequencyHistogram {
  readonly tokens: number;
  readonly features: number;
  /** Edges of the bins, one more than there are bins. */
  readonly edges: readonly number[];
  /** Features in each bin; a bin includes its lower edge, and the last one its upper edge too. */
  readonly counts: readonly number[];
  /** Share of features that fired on no token. */
  readonly dead: number;
  /** Share of features that fired on at least 99% of the tokens. */
  readonly always_on: number;
}

const BINS = 100;
const LOWEST = 1e-5;
/** A feature that fires on this share of the tokens tells nothing about any of them. */
const ALWAYS = 0.99;

/** Sorts features into bins. One that fires, but less often than the lowest edge, goes into the first bin. */
export const frequencyHistogram = (tokens: number, fired: Iterable<number>): FrequencyHistogram => {
  const decades = -Math.log10(LOWEST);
  const edges = Array.from({ length: BINS + 1 }, (_, index) =>
    Number((10 ** ((index / BINS - 1) * decades)).toPrecision(12)),
  );
  const counts = Array.from({ length: BINS }, () => 0);
  let features = 0;
  let dead = 0;
  let always = 0;
  for (const count of fired) {
    features += 1;
    if (count === 0) {
      dead += 1;
      continue;
    }
    const frequency = count / tokens;
    if (frequency >= ALWAYS) always += 1;
    const bin = Math.floor((1 + Math.log10(frequency) / decades) * BINS);
    const index = Math.min(BINS - 1, Math.max(0, bin));
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return { tokens, features, edges, counts, dead: dead / features, always_on: always / features };
};
