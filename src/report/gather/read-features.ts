import type { AutoEncoder } from "../../dictionary/index.ts";
import { featureFrequencies, lossEffects, topContexts } from "../../evaluate/index.ts";
import type { EvaluationProgress } from "../../evaluate/measurement.ts";
import { whyNoLosses } from "../../evaluate/next-token.ts";
import type { SiteOptions } from "../../evaluate/options.ts";
import { deriveSeed } from "../../seeds.ts";
import type { TextSource } from "../../text/index.ts";
import type { FeatureBrowser, ReportedContext, ReportedFeature, TokenEffect } from "../report-data.ts";
import { type ChosenFeature, chooseFeatures, type Neighbours, withNeighbours } from "./choose-features.ts";
import { noDirectPath } from "./residual-stream.ts";

/** The amount of text to read, and how much of it to show. */
export interface FeatureAmounts {
  /** Features to show. */
  readonly features: number;
  /** Numbers of additional features to show. */
  readonly addFeatures: readonly number[];
  /** Contexts of each feature. */
  readonly contexts: number;
  /** Tokens to count frequencies on and to search contexts in. */
  readonly tokens: number;
  /** Contexts to estimate the loss effects from. */
  readonly lossContexts: number;
}

export interface ReadFeaturesOptions extends FeatureAmounts {
  readonly at: SiteOptions & { readonly data: TextSource };
  /** Whether the text holds documents that the dictionary was trained on. */
  readonly trainingText: boolean;
  readonly seed: number;
  readonly batchSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: EvaluationProgress;
}

/** Tokens of a context that are kept: the one that fires most, those before it, and a few after it. */
const BEFORE = 96;
const BEHIND = 31;
const NEIGHBOURS = 6;
const TOKENS = 8;

/** Chooses features, and collects everything that the report shows about each of them. */
export const readFeatures = async (dictionary: AutoEncoder, options: ReadFeaturesOptions): Promise<FeatureBrowser> => {
  const { at, tokens, seed, trainingText } = options;
  const how = {
    ...(options.batchSize === undefined ? {} : { batchSize: options.batchSize }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  };
  const counted = await featureFrequencies(dictionary, { ...at, ...how, tokens });
  const fired = counted.frequencies.map((share) => Math.round(share * counted.tokens));
  const noLossEffect = await whyNoLosses(at.model);
  const losses =
    noLossEffect === null ? await lossEffects(dictionary, { ...at, ...how, contexts: options.lossContexts }) : null;
  const firing = fired.filter((times) => times > 0).length;
  const first = chooseFeatures(
    { fired, effects: losses?.effects ?? null },
    { named: options.addFeatures, count: options.features, seed: deriveSeed(seed, "report") },
  );
  const neighboursOf = async (those: readonly number[]) => {
    const params = { dictionary: dictionary.ref, features: [...those], count: NEIGHBOURS };
    return (await dictionary.worker.call("features.neighbours", params, { signal: options.signal })).neighbours;
  };
  const all = first.filter(({ feature }) => (fired[feature] ?? 0) > 0).length === firing;
  const chosen = all
    ? first
    : withNeighbours(first, await linksOf(first, neighboursOf), { fired, count: options.features });
  const features = chosen.map(({ feature }) => feature);
  const found = await topContexts(dictionary, { ...at, ...how, features, count: options.contexts, tokens });
  const noDirectEffect = noDirectPath({ submodule: at.model.at(at.submodule), io: at.io ?? "out" });
  const effects = noDirectEffect === null ? await directEffects(dictionary, at, features) : null;
  const neighbours = await neighboursOf(features);
  return {
    tokens: counted.tokens,
    firing,
    predictions: losses?.predictions ?? 0,
    ...(noLossEffect === null ? {} : { noLossEffect }),
    data: at.data.path,
    trainingText,
    noDirectEffect,
    features: chosen.map(({ feature, groups }: ChosenFeature, index): ReportedFeature => {
      const contexts = found[index]?.contexts ?? [];
      const times = losses?.fired[feature] ?? 0;
      const lossEffect = losses === null ? null : (losses.effects[feature] ?? 0);
      return {
        feature,
        groups,
        fired: fired[feature] ?? 0,
        lossEffect,
        lossEffectWhereItFires:
          losses === null || lossEffect === null || times === 0 ? null : (lossEffect * losses.predictions) / times,
        highest: contexts[0]?.highest ?? 0,
        contexts: contexts.map(cutContext),
        neighbours: neighbours[index] ?? [],
        promoted: effects?.[index]?.promoted ?? [],
        suppressed: effects?.[index]?.suppressed ?? [],
      };
    }),
  };
};

/** The neighbours of the chosen features, and of these neighbours. */
const linksOf = async (
  chosen: readonly ChosenFeature[],
  neighboursOf: (features: readonly number[]) => Promise<readonly (readonly { readonly feature: number }[])[]>,
): Promise<Neighbours> => {
  const links = new Map<number, readonly number[]>();
  const add = async (features: readonly number[]) => {
    const found = features.length === 0 ? [] : await neighboursOf(features);
    for (const [index, feature] of features.entries())
      links.set(feature, found[index]?.map((each) => each.feature) ?? []);
  };
  await add(chosen.map(({ feature }) => feature));
  await add([...new Set([...links.values()].flat())].filter((feature) => !links.has(feature)));
  return links;
};

/** The tokens that each feature's decoder column promotes and suppresses. */
const directEffects = async (
  dictionary: AutoEncoder,
  { model }: SiteOptions,
  features: readonly number[],
): Promise<readonly { readonly promoted: readonly TokenEffect[]; readonly suppressed: readonly TokenEffect[] }[]> => {
  const params = { model: model.ref, dictionary: dictionary.ref, features: [...features], count: TOKENS };
  return (await dictionary.worker.call("features.direct_effects", params)).effects;
};

/** The part of a long context around its strongest activation. */
export const cutContext = ({
  tokens,
  activations,
}: {
  readonly tokens: readonly string[];
  readonly activations: readonly number[];
}): ReportedContext => {
  const peak = activations.indexOf(Math.max(...activations));
  const length = BEFORE + 1 + BEHIND;
  const start = Math.max(0, Math.min(peak - BEFORE, tokens.length - length));
  const end = Math.min(tokens.length, start + length);
  return {
    tokens: tokens.slice(start, end),
    activations: activations.slice(start, end),
    cut: [start > 0, end < tokens.length],
  };
};
