import {
  type FeatureBrowser,
  type FeatureGroup,
  isThere,
  type ReportData,
  type ReportedContext,
} from "./report-data.ts";

/** What the page's script reads: contexts and token texts are stored once, however many features fire in them. */
export interface PackedReport {
  /** Texts of tokens. */
  readonly strings: readonly string[];
  /** Contexts, as indices into `strings`. */
  readonly contexts: readonly (readonly number[])[];
  /** One for each dictionary whose features can be looked at. */
  readonly dictionaries: readonly PackedDictionary[];
}

export interface PackedDictionary {
  readonly name: string;
  readonly size: number;
  readonly tokens: number;
  readonly noDirectEffect: string | null;
  readonly features: readonly PackedFeature[];
}

export interface PackedFeature {
  readonly feature: number;
  readonly groups: readonly FeatureGroup[];
  readonly fired: number;
  readonly lossEffect: number;
  readonly lossEffectWhereItFires: number | null;
  readonly highest: number;
  readonly contexts: readonly PackedContext[];
  /** Number of the feature, cosine. */
  readonly neighbours: readonly (readonly [number, number])[];
  /** Index of the token's text, effect. */
  readonly promoted: readonly (readonly [number, number])[];
  readonly suppressed: readonly (readonly [number, number])[];
}

export interface PackedContext {
  /** Index of the context. */
  readonly context: number;
  readonly cut: readonly [boolean, boolean];
  /** Position and activation, in turn, where it is not 0. */
  readonly active: readonly number[];
}

/** Packs what the features' part of a report says. */
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
      active: activations.flatMap((value, position) => (value === 0 ? [] : [position, rounded(value, 3)])),
    };
  };
  const packFeatures = ({ features }: FeatureBrowser): PackedFeature[] =>
    features.map((each) => ({
      ...each,
      lossEffect: rounded(each.lossEffect, 3),
      lossEffectWhereItFires: each.lossEffectWhereItFires === null ? null : rounded(each.lossEffectWhereItFires, 3),
      highest: rounded(each.highest, 3),
      contexts: each.contexts.map(packContext),
      neighbours: each.neighbours.map(({ feature, cosine }) => [feature, rounded(cosine, 3)]),
      promoted: each.promoted.map(({ text, effect }) => [strings.number(text), rounded(effect, 3)]),
      suppressed: each.suppressed.map(({ text, effect }) => [strings.number(text), rounded(effect, 3)]),
    }));
  const packed = dictionaries.flatMap(({ name, size, features }) =>
    isThere(features)
      ? [
          {
            name,
            size,
            tokens: features.tokens,
            noDirectEffect: features.noDirectEffect,
            features: packFeatures(features),
          },
        ]
      : [],
  );
  return { strings: strings.all, contexts: tables, dictionaries: packed };
};

/** Texts and the numbers they are stored under. */
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

const rounded = (value: number, digits: number): number => Number(value.toPrecision(digits));
