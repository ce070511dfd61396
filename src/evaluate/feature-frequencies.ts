import { contextsOptions } from "../buffer/index.ts";
import { evaluationDefaults, parseBuffer } from "../config/index.ts";
import type { AutoEncoder } from "../dictionary/index.ts";
import { checkOptions, kinds, optionsOf } from "../options/index.ts";
import { checkData } from "../text/index.ts";
import { EvaluationText } from "./evaluation-text.ts";
import { type FrequencyHistogram, frequencyHistogram } from "./frequencies.ts";
import { type EvaluationProgress, Measurement } from "./measurement.ts";
import {
  checkDictionary,
  DEFAULT_BATCH_SIZE,
  readingKinds,
  SITE_REQUIRED,
  type SiteOptions,
  siteKinds,
} from "./options.ts";

export interface FeatureFrequenciesOptions extends SiteOptions {
  /** Tokens to count on; fewer where the text ends. */
  readonly tokens?: number;
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: EvaluationProgress;
}

const OPTIONS = optionsOf<FeatureFrequenciesOptions>(
  { ...siteKinds, ...readingKinds, tokens: kinds.whole(1) },
  SITE_REQUIRED,
);

export interface FeatureFrequencies {
  /** Tokens counted. */
  readonly tokens: number;
  /** For each feature, the share of tokens on which it is not 0. */
  readonly frequencies: readonly number[];
  readonly histogram: FrequencyHistogram;
}

/** Measures the share of tokens on which each feature fires. The model stops after the submodule. */
export const featureFrequencies = async (
  dictionary: AutoEncoder,
  options: FeatureFrequenciesOptions,
): Promise<FeatureFrequencies> => {
  checkDictionary("featureFrequencies", dictionary);
  checkOptions(OPTIONS, options, "featureFrequencies");
  checkData("featureFrequencies", options.data);
  const { model, submodule, io = "out", part, buffer = {}, signal } = options;
  const contexts = { ...contextsOptions(parseBuffer(buffer)), dropPartialBatch: false };
  const text = new EvaluationText(model, options.data, { contexts, part });
  await using measurement = await Measurement.open(
    dictionary,
    { model, site: { submodule, io }, transfer: options.transfer },
    {
      batchSize: options.batchSize ?? DEFAULT_BATCH_SIZE,
      onProgress: options.onProgress ?? (() => {}),
      signal,
    },
  );
  await measurement.gather(text, { contexts: 0, countTokens: [options.tokens ?? evaluationDefaults.frequency_tokens] });
  const fired = await measurement.firings(0);
  const { tokens = 0, rows = Array.from({ length: dictionary.shape.size }, () => 0) } = fired ?? {};
  return {
    tokens,
    frequencies: rows.map((count) => (tokens === 0 ? 0 : count / tokens)),
    histogram: frequencyHistogram(tokens, rows),
  };
};
