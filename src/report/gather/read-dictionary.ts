import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { AutoEncoder } from "../../dictionary/index.ts";
import { ConfigError, DictlearnError } from "../../errors.ts";
import { evaluateFolders } from "../../evaluate/evaluate-folders.ts";
import { readEvaluation } from "../../evaluate/evaluation-file.ts";
import type { Evaluation } from "../../evaluate/index.ts";
import type { Models } from "../../evaluate/models.ts";
import { hasOwn, isOwn } from "../../evaluate/own-statistics.ts";
import { type EvaluationChoices, type EvaluationPlan, planEvaluation } from "../../evaluate/plan.ts";
import type { DictionaryOnDisk } from "../../evaluate/targets.ts";
import type { SiteSpec } from "../../nnsight/index.ts";
import type { Worker } from "../../worker/index.ts";
import type { Evaluated, FeatureBrowser, ReportedDictionary, WhyNot } from "../report-data.ts";
import { type FeatureAmounts, readFeatures } from "./read-features.ts";
import { readTrainingCurves } from "./training-curves.ts";

export interface ReadDictionaryOptions extends FeatureAmounts {
  readonly worker: Worker;
  readonly models: Models;
  readonly device: string;
  readonly choices: EvaluationChoices;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: { name: string; stage: string; done: number; total: number }) => void;
}

/**
 * Everything that a report shows about one dictionary. Missing parts are computed; parts that cannot be computed say
 * why.
 */
export const readDictionary = async (
  on: DictionaryOnDisk,
  options: ReadDictionaryOptions,
): Promise<ReportedDictionary> => {
  const { worker, device } = options;
  const evaluation = await evaluationOf(on, options);
  const plan = planned(() => planEvaluation(on, options.choices, "all"), NAME_TEXT);
  const browser = async () => {
    if ("whyNot" in plan) return { features: plan, site: null };
    return await featuresOf(dictionary, { name: on.name, plan, options });
  };
  await using dictionary = await AutoEncoder.load(on.weights, { worker, device });
  const { size, inputWidth, outputWidth } = dictionary.shape;
  const folder = folderOf(on);
  const { features, site } = await browser();
  const { origin } = on.config;
  return {
    name: on.name,
    model: options.choices.model ?? on.config.run?.model ?? origin?.model ?? null,
    submodule: site?.submodule ?? options.choices.submodule ?? origin?.submodule ?? null,
    io: site?.io ?? options.choices.io ?? origin?.io ?? null,
    size,
    inputWidth,
    outputWidth,
    evaluation,
    training: readTrainingCurves(join(folder, "metrics.jsonl")),
    config: readConfig(on.configPath),
    features,
  };
};

/** A checkpoint is one folder below its dictionary's other files. */
const folderOf = ({ weights }: DictionaryOnDisk): string => {
  const here = dirname(weights);
  return basename(here) === "checkpoints" ? dirname(here) : here;
};

/** The evaluation next to the dictionary, or else a new one, written there if it uses the run's own settings. */
const evaluationOf = async (on: DictionaryOnDisk, options: ReadDictionaryOptions): Promise<Evaluated | WhyNot> => {
  const there = readEvaluation(on.evaluation);
  if (there !== null) return evaluated(there, there);
  const plan = planned(() => planEvaluation(on, options.choices), MEASURE);
  if ("whyNot" in plan) return plan;
  const { worker, models, device, choices, signal, onProgress } = options;
  try {
    // A page on other text writes nothing next to the dictionary that would pass for the run's own statistics.
    const write = !hasOwn(on) || isOwn(on, plan);
    const [result] = await evaluateFolders([on], worker, { choices, device, signal, onProgress, models, write });
    if (result === undefined) throw new Error("One dictionary was evaluated, and none came out.");
    return evaluated(result.subject, result.evaluation);
  } catch (error) {
    if (error instanceof DictlearnError && error.code === "no_tokens") return { whyNot: error.message };
    throw error;
  }
};

const evaluated = (subject: Evaluated["subject"], evaluation: Evaluation): Evaluated => {
  const { contexts, statistics, frequencies } = evaluation;
  return { subject, contexts, statistics, frequencies };
};

/** Advice for a folder that lacks information; the output of `dictlearn evaluate` is read from there. */
const NAME_TEXT = "Name --model, --submodule and --data.";
const MEASURE = "Measure it with `dictlearn evaluate`, which takes other text and rows.";

/** A plan, or why there is none. */
const planned = (plan: () => EvaluationPlan, advice: string): EvaluationPlan | WhyNot => {
  try {
    return plan();
  } catch (error) {
    if (error instanceof ConfigError) return { whyNot: `${error.message} ${advice}` };
    throw error;
  }
};

const readConfig = (path: string): Record<string, unknown> | null =>
  existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null;

const featuresOf = async (
  dictionary: AutoEncoder,
  {
    name,
    plan,
    options,
  }: { readonly name: string; readonly plan: EvaluationPlan; readonly options: ReadDictionaryOptions },
): Promise<{ readonly features: FeatureBrowser | WhyNot; readonly site: SiteSpec | null }> => {
  const { onProgress = () => {} } = options;
  const { place, data } = plan;
  const progress = (step: { stage: string; done: number; total: number }) => onProgress({ name, ...step });
  const model = await options.models.take(plan, progress);
  if (model === undefined || place === null || data === null) {
    const whyNot = "Features are looked at in text, and cached rows have none: name --model, --submodule and --data.";
    return { features: { whyNot }, site: null };
  }
  const site = await model.site(place);
  const features = await readFeatures(dictionary, {
    ...options,
    at: {
      model,
      ...site,
      data,
      buffer: plan.options.buffer ?? {},
      transfer: plan.options.transfer ?? false,
    },
    trainingText: options.choices.data === undefined,
    seed: plan.options.seed ?? 0,
    batchSize: plan.options.batchSize,
    onProgress: progress,
  });
  return { features, site };
};
