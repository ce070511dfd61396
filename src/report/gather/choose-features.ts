import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { FeatureGroup } from "../report-data.ts";

export interface FeatureFacts {
  /** For each feature, how many tokens it fired on. */
  readonly fired: readonly number[];
  /** For each feature, its effect on the loss. */
  readonly effects: readonly number[];
}

export interface ChosenFeature {
  readonly feature: number;
  readonly groups: readonly FeatureGroup[];
}

/**
 * The features that a report shows: those of `named`, whether they ever fired or not, and then in turn the next one by loss
 * effect, by frequency and at random, until there are `count` more or all that fired at all. A feature that several of
 * these come upon is in all their groups.
 */
export const chooseFeatures = (
  { fired, effects }: FeatureFacts,
  { named = [], count, seed }: { readonly named?: readonly number[]; readonly count: number; readonly seed: number },
): ChosenFeature[] => {
  const alive = fired.flatMap((times, feature) => (times > 0 ? [feature] : []));
  const by = (values: readonly number[]) =>
    alive.toSorted((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b)[Symbol.iterator]();
  const lists: readonly (readonly [FeatureGroup, Iterator<number>])[] = [
    ["loss", by(effects)],
    ["frequent", by(fired)],
    ["random", shuffled(alive, seed)[Symbol.iterator]()],
  ];
  const chosen = new Map<number, FeatureGroup[]>(named.map((feature) => [feature, ["named"]]));
  const others = alive.filter((feature) => !chosen.has(feature)).length;
  const total = chosen.size + Math.min(count, others);
  while (chosen.size < total) {
    for (const [group, list] of lists) takeNext(chosen, { group, list, count: total });
  }
  return [...chosen].map(([feature, groups]) => ({ feature, groups }));
};

/** Takes the next of the list that nobody has taken; those that it passes over are in its group too. */
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

/** Fisher and Yates's permutation. */
const shuffled = (items: readonly number[], seed: number): number[] => {
  const random = xoroshiro128plus(seed);
  const list = [...items];
  for (let last = list.length - 1; last > 0; last--) {
    const other = uniformInt(random, 0, last);
    [list[last], list[other]] = [list[other] ?? 0, list[last] ?? 0];
  }
  return list;
};
