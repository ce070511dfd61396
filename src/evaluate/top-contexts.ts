import { contextsOptions } from "../buffer/index.ts";
import { parseBuffer } from "../config/index.ts";
import type { AutoEncoder } from "../dictionary/index.ts";
import { ConfigError } from "../errors.ts";
import { checkOptions, kinds, optionsOf } from "../options/index.ts";
import { checkData } from "../text/index.ts";
import { EvaluationText } from "./evaluation-text.ts";
import { type EvaluationProgress, Measurement } from "./measurement.ts";
import {
  checkDictionary,
  DEFAULT_BATCH_SIZE,
  readingKinds,
  SITE_REQUIRED,
  type SiteOptions,
  siteKinds,
} from "./options.ts";

export interface TopContextsOptions extends SiteOptions {
  /** Numbers of the features, from 0. */
  readonly features: readonly number[];
  /** Contexts to keep for each feature. */
  readonly count?: number;
  /** Tokens to search; fewer where the text ends. */
  readonly tokens?: number;
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: EvaluationProgress;
}

const OPTIONS = optionsOf<TopContextsOptions>(
  {
    ...siteKinds,
    ...readingKinds,
    features: kinds.listOf("numbers of features", Number.isFinite),
    count: kinds.whole(1),
    tokens: kinds.whole(1),
  },
  [...SITE_REQUIRED, "features"],
);

/** A context in which a feature fires. */
export interface FeatureContext {
  /** Its number in the text, from 0. */
  readonly context: number;
  /** The feature's highest activation in it. */
  readonly highest: number;
  /** The tokens' ids. */
  readonly ids: readonly number[];
  /** The tokens as text, one for each id, as `Tokenizer.pieces` gives them. */
  readonly tokens: readonly string[];
  /** The feature's activation at each token. */
  readonly activations: readonly number[];
}

export interface FeatureContexts {
  readonly feature: number;
  /** Highest activation first; ties keep the earlier one first. Empty for a feature that never fires. */
  readonly contexts: readonly FeatureContext[];
}

const DEFAULT_COUNT = 10;
const DEFAULT_TOKENS = 65_536;

/**
 * Finds the contexts in which each of the given features fires most, with its activation at every token. Only contexts
 * that beat those already found are transferred, so memory and traffic depend on `count` and not on the amount of text.
 */
export const topContexts = async (dictionary: AutoEncoder, options: TopContextsOptions): Promise<FeatureContexts[]> => {
  checkDictionary("topContexts", dictionary);
  checkOptions(OPTIONS, options, "topContexts");
  checkData("topContexts", options.data);
  const { model, submodule, io = "out", part, buffer = {}, count = DEFAULT_COUNT, signal } = options;
  // A feature that is named twice is searched once.
  const features = [...new Set(options.features)];
  const { tokens: wanted = DEFAULT_TOKENS, batchSize = DEFAULT_BATCH_SIZE, onProgress = () => {} } = options;
  checkFeatures(features, dictionary.shape.size);
  const contexts = { ...contextsOptions(parseBuffer(buffer)), dropPartialBatch: false };
  const text = new EvaluationText(model, options.data, { contexts, part });
  const at = { model, site: { submodule, io }, transfer: options.transfer };
  await using measurement = await Measurement.open(dictionary, at, { batchSize, onProgress, signal });
  const best = new Map(features.map((feature) => [feature, [] as FeatureContext[]]));
  await text.read(async (stream) => {
    let before = 0;
    let tokens = 0;
    for (let exhausted = false; !exhausted && tokens < wanted; ) {
      const params = {
        evaluation: measurement.ref,
        contexts: stream.ref,
        n_contexts: batchSize,
        features: [...features],
        floors: features.map((feature) => best.get(feature)?.[count - 1]?.highest ?? 0),
        most: count,
      };
      const result = await stream.fed(
        async () => await dictionary.worker.call("evaluate.top_contexts", params, { signal }),
      );
      for (const { feature, context, highest, tokens: ids, text: strings, activations } of result.found) {
        insert(
          best.get(feature) ?? [],
          { context: before + context, highest, ids, tokens: strings, activations },
          count,
        );
      }
      before += result.contexts;
      tokens += result.rows;
      exhausted = result.exhausted;
      onProgress({ stage: "Searching contexts", done: Math.min(tokens, wanted), total: wanted });
    }
  });
  return options.features.map((feature) => ({ feature, contexts: best.get(feature) ?? [] }));
};

const checkFeatures = (features: readonly number[], size: number): void => {
  const bad = features.find((feature) => !Number.isSafeInteger(feature) || feature < 0 || feature >= size);
  if (bad !== undefined) throw new ConfigError(`There is no feature ${bad}: the dictionary has ${size}, from 0 on.`);
};

/** Keeps `list` sorted, highest first, and no longer than `most`. */
const insert = (list: FeatureContext[], item: FeatureContext, most: number): void => {
  const index = list.findIndex(({ highest }) => highest < item.highest);
  list.splice(index === -1 ? list.length : index, 0, item);
  if (list.length > most) list.pop();
};
