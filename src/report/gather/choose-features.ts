import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { FeatureGroup } from "../report-data.ts";

export interface FeatureFacts {
  /** For each feature, the number of tokens it fired on. */
  readonly fired: readonly number[];
  /** For each feature, its effect on the loss; null where the model has no meaningful loss. */
  readonly effects: readonly number[] | null;
}

export interface ChosenFeature {
  readonly feature: number;
  readonly groups: readonly FeatureGroup[];
}

/**
 * The features that a report shows: those of `named`, whether they ever fired or not, and then in turn the next one by
 * loss effect, by frequency and at random, until there are `count` more. A feature that several of these choose is in
 * all their groups. Where no more than `count` fired, all are shown, without groups.
 */
export const chooseFeatures = (
  { fired, effects }: FeatureFacts,
  { named = [], count, seed }: { readonly named?: readonly number[]; readonly count: number; readonly seed: number },
): ChosenFeature[] => {
  const alive = fired.flatMap((times, feature) => (times > 0 ? [feature] : []));
  const by = (values: readonly number[]) =>
    alive.toSorted((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b)[Symbol.iterator]();
  const asked = new Map<number, FeatureGroup[]>(named.map((feature) => [feature, ["named"]]));
  const others = alive.filter((feature) => !asked.has(feature));
  if (others.length <= count) {
    const rest = [...by(effects ?? fired)].filter((feature) => !asked.has(feature));
    return [...asked, ...rest.map((feature) => [feature, []] as const)].map(([feature, groups]) => ({
      feature,
      groups,
    }));
  }
  const lists: readonly (readonly [FeatureGroup, Iterator<number>])[] = [
    ...(effects === null ? [] : [["loss", by(effects)] as const]),
    ["frequent", by(fired)],
    ["random", shuffled(alive, seed)[Symbol.iterator]()],
  ];
  const chosen = asked;
  const total = chosen.size + count;
  while (chosen.size < total) {
    for (const [group, list] of lists) takeNext(chosen, { group, list, count: total });
  }
  return [...chosen].map(([feature, groups]) => ({ feature, groups }));
};

/** One in this many features is shown because it is a neighbour of others. */
const ONE_NEIGHBOUR_OF = 4;

/** How many of `count` chosen features are replaced by neighbours. */
export const neighboursAmong = (count: number): number => Math.floor(count / ONE_NEIGHBOUR_OF);

/** The nearest neighbours of features, by the feature's number. */
export type Neighbours = ReadonlyMap<number, readonly number[]>;

/**
 * The chosen features, with the last `neighboursAmong(count)` of them replaced by features linked to the others as
 * neighbours in either direction, those with most links first: a reader who follows neighbours stays on the page. Skips
 * features that never fired or have no entry in `neighbours`.
 */
export const withNeighbours = (
  chosen: readonly ChosenFeature[],
  neighbours: Neighbours,
  { fired, count }: { readonly fired: readonly number[]; readonly count: number },
): ChosenFeature[] => {
  const kept = chosen.slice(0, chosen.length - neighboursAmong(count));
  const there = new Set(kept.map(({ feature }) => feature));
  const links = new Map<number, number>();
  const addLinks = (from: number) => {
    for (const to of neighbours.get(from) ?? []) links.set(to, (links.get(to) ?? 0) + 1);
  };
  for (const feature of there) addLinks(feature);
  const near: ChosenFeature[] = [];
  while (kept.length + near.length < chosen.length) {
    const best = bestLinked(there, neighbours, { links, fired });
    if (best === undefined) break;
    there.add(best);
    addLinks(best);
    near.push({ feature: best, groups: [...groupsIn(chosen, best), "near"] });
  }
  const rest = chosen.slice(kept.length).filter(({ feature }) => !there.has(feature));
  return [...kept, ...near, ...rest].slice(0, chosen.length);
};

/** Among features that are linked to but not chosen yet, the one with most links to and from the chosen ones. */
const bestLinked = (
  there: ReadonlySet<number>,
  neighbours: Neighbours,
  { links, fired }: { readonly links: ReadonlyMap<number, number>; readonly fired: readonly number[] },
): number | undefined => {
  let best: number | undefined;
  let most = 0;
  for (const [feature, own] of neighbours) {
    const from = links.get(feature) ?? 0;
    if (there.has(feature) || from === 0 || !((fired[feature] ?? 0) > 0)) continue;
    const both = from + own.filter((each) => there.has(each)).length;
    if (both > most) [best, most] = [feature, both];
  }
  return best;
};

const groupsIn = (chosen: readonly ChosenFeature[], feature: number): readonly FeatureGroup[] =>
  chosen.find((each) => each.feature === feature)?.groups ?? [];

/** Takes the next free feature of the list; those that it skips are in its group too. */
const takeNext = (
  chosen: Map<number, FeatureGroup[]>,
  { group, list, count }: { readonly group: FeatureGroup; readonly list: Iterator<number>; readonly count: number },
): void => {
  if (chosen.size >= count) return;
  for (let next = list.next(); next.done !== true; next = list.next()) {
    const groups = chosen.get(next.value);
    if (groups === undefined) {
      chosen.set(next.value, [group]);
      return;
    }
    groups.push(group);
  }
};

/** Fisher–Yates shuffle. */
const shuffled = (items: readonly number[], seed: number): number[] => {
  const random = xoroshiro128plus(seed);
  const list = [...items];
  for (let last = list.length - 1; last > 0; last--) {
    const other = uniformInt(random, 0, last);
    [list[last], list[other]] = [list[other] ?? 0, list[last] ?? 0];
  }
  return list;
};
