import { AutoEncoder } from "../dictionary/index.ts";
import { ensureEnvironment } from "../environment/index.ts";
import { ConfigError } from "../errors.ts";
import { DEFAULT_LOSS_CONTEXTS } from "../evaluate/loss-effects.ts";
import { Models } from "../evaluate/models.ts";
import { choicesKind, type EvaluationChoices } from "../evaluate/plan.ts";
import { type DictionaryOnDisk, dictionariesIn } from "../evaluate/targets.ts";
import { checkArguments, checkOptions, kinds, optionsOf } from "../options/index.ts";
import { Worker } from "../worker/index.ts";
import { readDictionary } from "./gather/read-dictionary.ts";
import { reportPage } from "./page.ts";
import type { ReportData, ReportedDictionary } from "./report-data.ts";

export interface ReportOptions {
  /** Features to show for each dictionary; by default 96 for one, fewer of each for several. */
  readonly features?: number | undefined;
  /** Numbers of additional features to show for every dictionary, whether they fire or not. */
  readonly addFeatures?: readonly number[] | undefined;
  /** Contexts to show for each feature. */
  readonly contexts?: number | undefined;
  /** Tokens of the text to count frequencies on and to search contexts in. */
  readonly tokens?: number | undefined;
  /** Contexts to estimate effects on the loss from. */
  readonly lossContexts?: number | undefined;
  /** Settings that a dictionary's config lacks, or that override it: model, submodule, text. */
  readonly choices?: EvaluationChoices;
  readonly device?: string;
  /** A worker to compute in; without one, a worker is started and closed at the end. */
  readonly worker?: Worker;
  readonly python?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Progress: the current dictionary, and how far it is. */
  readonly onProgress?: (progress: { name: string; stage: string; done: number; total: number }) => void;
}

const OPTIONS = optionsOf<ReportOptions>({
  features: kinds.whole(1),
  addFeatures: kinds.listOf("numbers of features", Number.isFinite),
  contexts: kinds.whole(1),
  tokens: kinds.whole(1),
  lossContexts: kinds.whole(1),
  choices: choicesKind,
  device: kinds.device(),
  worker: kinds.worker(),
  python: kinds.name(),
  signal: kinds.signal(),
  onProgress: kinds.callback(),
});
const PATHS = kinds.listOf("paths, as texts", (path) => typeof path === "string" && path !== "");

export interface Report {
  /** One self-contained page. */
  readonly html: string;
  /** The page's data. */
  readonly data: ReportData;
}

const DEFAULT_FEATURES = 96;
const FEATURES_OF_A_SET = 240;
const LEAST_FEATURES = 12;
const DEFAULT_CONTEXTS = 8;
const DEFAULT_TOKENS = 32_768;

/**
 * Creates a page about the dictionaries at `paths` (folders of runs or dictionaries, `ae.pt` files, checkpoints):
 * statistics, curves, frequencies, and the features with the contexts in which they fire. Evaluates a dictionary
 * without an `evaluation.json` and writes one, unless `choices` differ from its run. The same folders give a
 * byte-identical page.
 *
 * @throws {ConfigError} for a path without a dictionary, invalid numbers, and features that a dictionary does not have.
 */
export const createReport = async (paths: readonly string[], options: ReportOptions = {}): Promise<Report> => {
  checkArguments("createReport", { paths: [paths, PATHS] });
  checkOptions(OPTIONS, options, "createReport");
  const { contexts = DEFAULT_CONTEXTS, tokens = DEFAULT_TOKENS, lossContexts = DEFAULT_LOSS_CONTEXTS } = options;
  const dictionaries = dictionariesIn(paths);
  const addFeatures = [...new Set(options.addFeatures)];
  const features = options.features ?? defaultFeatures(dictionaries.length);
  const own = options.worker === undefined;
  const worker = options.worker ?? (await Worker.start(await ensureEnvironment({ python: options.python })));
  try {
    const { device = "auto", choices = {}, signal, onProgress = () => {} } = options;
    if (addFeatures.length > 0) await requireFeatures(dictionaries, addFeatures, { worker, device });
    await using models = new Models(worker, device, signal);
    const amounts = { features, addFeatures, contexts, tokens, lossContexts };
    const how = { worker, models, device, choices, signal, onProgress, ...amounts };
    const read: ReportedDictionary[] = [];
    for (const each of dictionaries) read.push(await readDictionary(each, how));
    const data = { dictionaries: read };
    return { html: await reportPage(data), data };
  } finally {
    if (own) await worker.close();
  }
};

/** Checked before the first dictionary is read, which takes minutes. */
const requireFeatures = async (
  dictionaries: readonly DictionaryOnDisk[],
  features: readonly number[],
  where: { readonly worker: Worker; readonly device: string },
): Promise<void> => {
  for (const { name, weights } of dictionaries) {
    await using dictionary = await AutoEncoder.load(weights, where);
    const { size } = dictionary.shape;
    const bad = features.find((feature) => !Number.isSafeInteger(feature) || feature < 0 || feature >= size);
    if (bad !== undefined) throw new ConfigError(`There is no feature ${bad}: ${name} has ${size}, from 0 on.`);
  }
};

/** A set shares the space on the page, but every dictionary gets some. */
const defaultFeatures = (dictionaries: number): number =>
  Math.max(LEAST_FEATURES, Math.min(DEFAULT_FEATURES, Math.floor(FEATURES_OF_A_SET / Math.max(1, dictionaries))));
