import { distance } from "fastest-levenshtein";
import { ConfigError } from "../errors.ts";
import type { StatisticName } from "../evaluate/index.ts";
import { checkArguments, kinds } from "../options/index.ts";
import type { PublishedColumn, PublishedDictionary, PublishedSet } from "./published-set.ts";
import { PUBLISHED_SETS } from "./sets.ts";

/** Layers and sites by their names. */
export const sitesKind = kinds.listOf(
  'layers or sites, such as 3 or "mlp_out_layer3"',
  (site) => typeof site === "string" || Number.isSafeInteger(site),
);
const SET = kinds.having<PublishedSet>("a set, as publishedSet gives", "name", "dictionaries");

/** The definition of a column of the authors' tables, and the name of the same number in `dictlearn evaluate`. */
export const PUBLISHED_COLUMNS: Readonly<
  Record<
    PublishedColumn,
    { readonly title: string; readonly formula: string; readonly statistic: StatisticName | "alive" }
  >
> = {
  mse_loss: {
    title: "MSE loss",
    formula: "root of the mean over rows and coordinates of (x − x̂)²",
    statistic: "root_mean_square_error",
  },
  l1_loss: { title: "L1 loss", formula: "mean over rows of the sum of features", statistic: "l1" },
  l0: { title: "L0", formula: "mean number of features that are not zero", statistic: "l0" },
  alive: {
    title: "% Alive",
    formula: "share of features that are not zero on at least one of 8192 tokens",
    statistic: "alive",
  },
  loss_recovered: {
    title: "% Loss Recovered",
    formula: "(L_rec − L_zero) / (L_orig − L_zero)",
    statistic: "loss_recovered_zero",
  },
};

/** The names and shapes of the tensors in a released `ae.pt`: d coordinates, m features. */
export const publishedShapes = ({
  activation_dim: d,
  dictionary_size: m,
}: Pick<PublishedDictionary, "activation_dim" | "dictionary_size">): Readonly<Record<string, readonly number[]>> => ({
  bias: [d],
  "encoder.weight": [m, d],
  "encoder.bias": [m],
  "decoder.weight": [d, m],
});

/**
 * The released set of that name.
 *
 * @throws {ConfigError} There is none; the hint names the nearest.
 */
export const publishedSet = (name: string): PublishedSet => {
  checkArguments("publishedSet", { name: [name, kinds.text()] });
  return setNamed(name, PUBLISHED_SETS);
};

/** The same among custom sets. */
export const setNamed = <T extends { readonly name: string }>(name: string, sets: readonly T[]): T => {
  const found = sets.find((set) => set.name === name);
  if (found !== undefined) return found;
  const names = sets.map((set) => set.name);
  throw new ConfigError(`There is no published set ${name}.`, { hint: suggestion(name, names) });
};

/**
 * The dictionaries of a set at these sites. A site is named as its folder (`attn_out_layer3`, `embed`) or by its layer, which
 * means every site of that layer. Without sites, all of them.
 *
 * @throws {ConfigError} The set has no such site; the hint names the nearest.
 */
export const publishedDictionaries = (
  set: Pick<PublishedSet, "name" | "dictionaries">,
  sites: readonly (string | number)[] = [],
): readonly PublishedDictionary[] => {
  checkArguments("publishedDictionaries", { set: [set, SET], sites: [sites, sitesKind] });
  if (sites.length === 0) return set.dictionaries;
  const wanted = sites.map(String);
  for (const site of wanted) {
    if (set.dictionaries.some((each) => isAt(each, site))) continue;
    const layers = [...new Set(set.dictionaries.flatMap(({ layer }) => (layer === null ? [] : [String(layer)])))];
    const names = [...layers, ...set.dictionaries.map((each) => each.site)];
    throw new ConfigError(`The set ${set.name} has no layer or site ${site}.`, { hint: suggestion(site, names) });
  }
  return set.dictionaries.filter((each) => wanted.some((site) => isAt(each, site)));
};

/** The released dictionary whose folder a path ends with, such as `…/pythia-70m-deduped/mlp_out_layer1/0_8192`. */
export const publishedAt = (folder: string): PublishedDictionary | undefined => {
  checkArguments("publishedAt", { folder: [folder, kinds.text()] });
  const parts = folder.split(/[\\/]/).filter((part) => part !== "" && part !== ".");
  const end = parts.slice(-3).join("/");
  return PUBLISHED_SETS.flatMap(({ dictionaries }) => dictionaries).find((each) => each.folder === end);
};

const isAt = ({ site, layer }: PublishedDictionary, wanted: string): boolean =>
  site === wanted || (layer !== null && String(layer) === wanted);

/** Maximum distance from a known name at which a name counts as a typo. */
const FARTHEST = 4;
/** Maximum number of names in a hint. */
const MOST = 8;

const suggestion = (name: string, known: readonly string[]): string => {
  const near = known
    .map((each) => ({ each, away: distance(name, each) }))
    .filter(({ each, away }) => away <= Math.min(FARTHEST, Math.max(1, each.length - 2)))
    .sort((a, b) => a.away - b.away)
    .slice(0, 2)
    .map(({ each }) => each);
  const list = known.length > MOST ? `${known.slice(0, MOST).join(", ")} …` : known.join(", ");
  return near.length > 0 ? `Did you mean ${near.join(" or ")}? There are ${list}.` : `There are ${list}.`;
};
