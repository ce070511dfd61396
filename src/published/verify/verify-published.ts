import { ensureEnvironment } from "../../environment/index.ts";
import { ConfigError, DictlearnError } from "../../errors.ts";
import { evaluateFolders } from "../../evaluate/evaluate-folders.ts";
import { Models } from "../../evaluate/models.ts";
import { choicesKind, type EvaluationChoices } from "../../evaluate/plan.ts";
import type { EvaluationSubject } from "../../evaluate/subject.ts";
import type { DictionaryOnDisk } from "../../evaluate/targets.ts";
import { checkArguments, checkOptions, kinds, optionsOf } from "../../options/index.ts";
import { Worker } from "../../worker/index.ts";
import type { PublishedDictionary, PublishedStatistics } from "../published-set.ts";
import { publishedDictionaries, setNamed, sitesKind } from "../registry.ts";
import { PUBLISHED_SETS } from "../sets.ts";
import { compareStatistics, type VerifiedNumber } from "./compare.ts";
import { findDictionary } from "./find.ts";
import type { StatedSet } from "./stated-set.ts";

export interface VerifyOptions {
  /** Only this set; otherwise every set with published statistics. */
  readonly set?: string | undefined;
  /** Only these layers or sites; otherwise the full set. */
  readonly layers?: readonly (string | number)[] | undefined;
  /** Custom sets instead of the released ones. */
  readonly sets?: readonly StatedSet[] | undefined;
  /** Overrides: another place in the model, other text, more contexts. */
  readonly choices?: Omit<
    EvaluationChoices,
    "submodule" | "io" | "activations" | "out_batch_size" | "frequency_tokens"
  >;
  readonly device?: string;
  /** A worker to compute in; without one, a worker is started and closed at the end. */
  readonly worker?: Worker;
  readonly python?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Progress: the current dictionary, and how far it is. */
  readonly onProgress?: (progress: { name: string; stage: string; done: number; total: number }) => void;
}

const OPTIONS = optionsOf<VerifyOptions>({
  set: kinds.name(),
  layers: sitesKind,
  sets: kinds.listOf("sets", (set) => typeof set === "object" && set !== null),
  choices: choicesKind.omit({
    submodule: true,
    io: true,
    activations: true,
    out_batch_size: true,
    frequency_tokens: true,
  }),
  device: kinds.device(),
  worker: kinds.worker(),
  python: kinds.name(),
  signal: kinds.signal(),
  onProgress: kinds.callback(),
});

/** One dictionary of a set, measured at its site. */
export interface VerifiedDictionary {
  readonly set: string;
  readonly site: string;
  readonly layer: number | null;
  /** Its weights. */
  readonly weights: string;
  /** The model and text of the measurement. */
  readonly subject: EvaluationSubject;
  readonly contexts: number;
  readonly tokens: number;
  readonly numbers: readonly VerifiedNumber[];
  readonly agrees: boolean;
}

export interface Verification {
  /** Whether every number of every dictionary agrees; false where one is missing. */
  readonly agrees: boolean;
  readonly dictionaries: readonly VerifiedDictionary[];
  /** Requested dictionaries (the set's, or those of `layers`) that are missing, as `set/site`. */
  readonly missing: readonly string[];
  /** Unknowns that may explain differences; sentences. */
  readonly unknown: readonly string[];
}

/** The copy of the Pile that is still available. */
const PILE = "monology/pile-uncopyrighted";
const CONTEXT_LENGTH = 128;
/** Number of tokens that the published shares of alive features are counted on. */
const ALIVE_TOKENS = 8192;
/**
 * The authors' sampling, in a size that fits a laptop: 8192 rows drawn from 3072 contexts are under three of each, so
 * more contexts change little. The reference runs the head too: as many logits as contexts run at once.
 */
const SAMPLING = { n_ctxs: 3072, in_batch_size: 32 } as const;

interface Task {
  readonly set: StatedSet;
  readonly dictionary: PublishedDictionary;
  readonly statistics: PublishedStatistics;
  readonly disk: DictionaryOnDisk;
}

/**
 * Evaluates the dictionaries of published sets in `directory`, released or trained again, each at the place in the
 * model that the registry names, and compares the results with the published numbers. A released dictionary is
 * evaluated on the Pile from the hub, one of a run on the text that its run reserved, unless `choices.data` names other
 * text. Writes nothing. Unless `choices.compat` says otherwise, released dictionaries are measured on the authors'
 * sampling, `ddac948`. docs/statistics.md says when numbers agree.
 *
 * @throws {ConfigError} There is no such set or layer, or it has no published numbers.
 * @throws {DictlearnError} `no_dictionaries` where the folder has none of them, `wrong_size` where one has a different
 *   number of features than the published one, and the errors of evaluation.
 */
export const verifyPublished = async (directory: string, options: VerifyOptions = {}): Promise<Verification> => {
  checkArguments("verifyPublished", { directory: [directory, kinds.name("the path of a folder, as a text")] });
  checkOptions(OPTIONS, options, "verifyPublished");
  const { tasks, missing } = findTasks(directory, options);
  const { device = "auto", signal, onProgress } = options;
  const own = options.worker === undefined;
  const worker = options.worker ?? (await Worker.start(await ensureEnvironment({ python: options.python, signal })));
  try {
    await using models = new Models(worker, device, signal);
    const dictionaries: VerifiedDictionary[] = [];
    for (const task of tasks) {
      const { disk, choices } = planned(task, options.choices ?? {});
      const how = { choices, device, signal, onProgress, models, write: false };
      const [result] = await evaluateFolders([disk], worker, how);
      if (result !== undefined) dictionaries.push(verified(task, result));
    }
    const agrees = missing.length === 0 && dictionaries.every((each) => each.agrees);
    return { agrees, dictionaries, missing, unknown: unknownOf(tasks, dictionaries) };
  } finally {
    if (own) await worker.close();
  }
};

/** The dictionaries to compare, and those that are missing. */
const findTasks = (
  directory: string,
  { set: name, layers = [], sets = PUBLISHED_SETS }: VerifyOptions,
): { readonly tasks: readonly Task[]; readonly missing: readonly string[] } => {
  const wanted = name === undefined ? sets : [setNamed(name, sets)];
  const missing: string[] = [];
  const tasks: Task[] = [];
  let stated = 0;
  for (const set of wanted) {
    const found: Task[] = [];
    const absent: string[] = [];
    for (const dictionary of publishedDictionaries(set, layers)) {
      const { statistics } = dictionary;
      if (statistics === null) continue;
      stated += 1;
      const disk = findDictionary(directory, dictionary, name !== undefined || sets.length === 1);
      if (disk === undefined) absent.push(`${set.name}/${dictionary.site}`);
      else found.push({ set, dictionary, statistics, disk });
    }
    tasks.push(...found);
    // With several sets, a set without any dictionaries counts as not requested.
    if (found.length > 0) missing.push(...absent);
  }
  if (stated === 0) {
    throw new ConfigError(`The authors of ${wanted.map((set) => set.name).join(", ")} published no statistics of it.`, {
      hint: "`dictlearn evaluate` measures dictionaries without comparing.",
    });
  }
  if (tasks.length === 0) throw noDictionaries(directory, wanted);
  return { tasks, missing };
};

const noDictionaries = (directory: string, sets: readonly StatedSet[]): DictlearnError => {
  const example = sets[0]?.dictionaries[0]?.folder ?? "";
  return new DictlearnError(`${directory} has no dictionary of ${sets.map(({ name }) => name).join(" or ")}.`, {
    code: "no_dictionaries",
    hint: `Name the folder that has ${example}/ae.pt, or the output folder of a run of configs/pythia-70m-deduped.`,
  });
};

/** A dictionary's site according to the registry, and text that it was not trained on, as far as known. */
const planned = (
  { set, dictionary, disk }: Task,
  choices: NonNullable<VerifyOptions["choices"]>,
): { readonly disk: DictionaryOnDisk; readonly choices: EvaluationChoices } => {
  const { run, ctxLen } = disk.config;
  const compat = choices.compat ?? (run === undefined ? "ddac948" : "none");
  const aliveTokens = choices.alive_tokens ?? ALIVE_TOKENS;
  const reserved = run?.data !== undefined && run.data !== null && run.data.evaluation_every !== null;
  const config = {
    origin: { model: set.model, submodule: dictionary.submodule, io: dictionary.io },
    ctxLen: ctxLen ?? set.hyperparameters.ctx_len ?? CONTEXT_LENGTH,
  };
  return {
    disk: { ...disk, config: run === undefined ? config : { ...config, run } },
    choices: {
      // The reference measures all but the losses on one batch.
      ...(compat === "none" ? {} : { ...SAMPLING, out_batch_size: aliveTokens }),
      ...defined(choices),
      data: choices.data ?? (reserved ? undefined : PILE),
      submodule: dictionary.submodule,
      io: dictionary.io,
      // The registry overrides files from 2023.
      transfer: true,
      compat,
      alive_tokens: aliveTokens,
      // They are not compared, so no extra tokens are read for them.
      frequency_tokens: aliveTokens,
    },
  };
};

/** Without the keys that are undefined. */
const defined = (choices: NonNullable<VerifyOptions["choices"]>): NonNullable<VerifyOptions["choices"]> =>
  Object.fromEntries(Object.entries(choices).filter(([, value]) => value !== undefined));

const verified = (
  { dictionary, statistics }: Task,
  { weights, subject, evaluation }: Awaited<ReturnType<typeof evaluateFolders>>[number],
): VerifiedDictionary => {
  const { set, site, layer, dictionary_size } = dictionary;
  if (evaluation.dictionary_size !== dictionary_size) {
    throw new DictlearnError(
      `${weights} has ${evaluation.dictionary_size} features, but the published dictionary ${set}/${site} has ${dictionary_size}.`,
      { code: "wrong_size", hint: "Download it again, or name the set that it belongs to." },
    );
  }
  const numbers = compareStatistics(statistics, evaluation.statistics);
  const { contexts, tokens } = evaluation;
  return {
    set,
    site,
    layer,
    weights,
    subject,
    contexts,
    tokens,
    numbers,
    agrees: numbers.every((each) => each.agrees),
  };
};

const unknownOf = (tasks: readonly Task[], dictionaries: readonly VerifiedDictionary[]): string[] => {
  const texts = [...new Set(tasks.map(({ set }) => set.text))].join(", ");
  return [
    `Which documents of ${texts} the authors measured on, how many, and whether they had trained on them.`,
    "How far their numbers would move on other documents: the intervals are those of this measurement alone.",
    ...(dictionaries.some(({ subject }) => subject.data === PILE)
      ? [
          `Whether ${PILE} is like their text: it lacks some parts of the Pile, and they may have trained on what is read here.`,
        ]
      : []),
  ];
};
