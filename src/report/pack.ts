import {
  type FeatureBrowser,
  isThere,
  type ReportData,
  type ReportedContext,
  type ReportedDictionary,
  type ReportedFeature,
  type TokenEffect,
} from "./report-data.ts";

/** The data for the page's script: contexts and token texts are stored once, however many features fire in them. */
export interface PackedReport {
  /** Texts of tokens. */
  readonly strings: readonly string[];
  /** Contexts, as indices into `strings`. */
  readonly contexts: readonly (readonly number[])[];
  /** One for each dictionary whose features can be browsed. */
  readonly dictionaries: readonly PackedDictionary[];
}

interface PackedDictionary
  extends Pick<ReportedDictionary, "name" | "size">,
    Pick<FeatureBrowser, "tokens" | "firing" | "noDirectEffect"> {
  readonly features: readonly PackedFeature[];
}

/** Its numbers are rounded to three digits. */
interface PackedFeature extends Omit<ReportedFeature, "contexts" | "neighbours" | "promoted" | "suppressed"> {
  readonly contexts: readonly PackedContext[];
  /** Number of the feature, cosine. */
  readonly neighbours: readonly (readonly [number, number])[];
  /** Index of the token's text, effect. */
  readonly promoted: readonly (readonly [number, number])[];
  readonly suppressed: readonly (readonly [number, number])[];
}

interface PackedContext extends Pick<ReportedContext, "cut"> {
  /** Index of the context. */
  readonly context: number;
  /** Alternating position and activation, where it is not 0. */
  readonly active: readonly number[];
}

/** Packs the features section of a report. */
export const packReport = ({ dictionaries }: ReportData): PackedReport => {
  const strings = new Numbered();
  const contexts = new Map<string, number>();
  const tables: (readonly number[])[] = [];
  const packContext = ({ tokens, activations, cut }: ReportedContext): PackedContext => {
    const ids = tokens.map((token) => strings.number(token));
    const key = ids.join();
    const index = contexts.get(key) ?? tables.push(ids) - 1;
    contexts.set(key, index);
    return {
      context: index,
      cut,
      active: activations.flatMap((value, position) => (value === 0 ? [] : [position, rounded(value)])),
    };
  };
  const packEffect = ({ text, effect }: TokenEffect) => [strings.number(text), rounded(effect)] as const;
  const packFeature = (each: ReportedFeature): PackedFeature => ({
    ...each,
    lossEffect: each.lossEffect === null ? null : rounded(each.lossEffect),
    lossEffectWhereItFires: each.lossEffectWhereItFires === null ? null : rounded(each.lossEffectWhereItFires),
    highest: rounded(each.highest),
    contexts: each.contexts.map(packContext),
    neighbours: each.neighbours.map(({ feature, cosine }) => [feature, rounded(cosine)]),
    promoted: each.promoted.map(packEffect),
    suppressed: each.suppressed.map(packEffect),
  });
  const packed = dictionaries.flatMap(({ name, size, features }) =>
    isThere(features)
      ? [
          {
            name,
            size,
            tokens: features.tokens,
            firing: features.firing,
            noDirectEffect: features.noDirectEffect,
            features: features.features.map(packFeature),
          },
        ]
      : [],
  );
  return { strings: strings.all, contexts: tables, dictionaries: packed };
};

/** Texts and their indices. */
class Numbered {
  readonly all: string[] = [];
  readonly #numbers = new Map<string, number>();

  number(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.all.length);
    return this.all.push(text) - 1;
  }
}

const rounded = (value: number): number => Number(value.toPrecision(3));
