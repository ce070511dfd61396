import { Contexts } from "../activations/index.ts";
import { ActivationBuffer, bufferOptions, CachedRows, contextsOptions } from "../buffer/index.ts";
import type { AutoEncoder } from "../dictionary/index.ts";
import { ConfigError, DictlearnError } from "../errors.ts";
import { resolveDevice } from "../nnsight/index.ts";
import { deriveSeed, referenceStream } from "../seeds.ts";
import { TextStream } from "../text/index.ts";
import { Scope } from "../worker/index.ts";
import { aliveShare } from "./alive.ts";
import type { Bootstrap } from "./bootstrap.ts";
import type { Evaluation, ReferenceStatistics, Statistic } from "./evaluation.ts";
import { EvaluationText } from "./evaluation-text.ts";
import { frequencyHistogram } from "./frequencies.ts";
import { type Firings, Measurement, newSums } from "./measurement.ts";
import { whyNoLosses } from "./next-token.ts";
import { checkDictionary, type EvaluateOptions, type EvaluateSettings, parseEvaluateOptions } from "./options.ts";
import { COUNTED_BY, STATISTIC_NAMES, type StatisticName, statisticsOf } from "./statistics.ts";
import { named } from "./sums.ts";

/**
 * Measures a dictionary: reconstruction, sparsity, loss recovered, and how often its features fire. Two passes over the
 * text: the first, which stops after the site, finds the mean row and the firings; the second runs the full model with
 * the site's value replaced. Memory does not depend on the amount of text. A model that does not predict the next token
 * has no losses, and `no_losses` says why.
 *
 * Throws `ConfigError` for conflicting options, and a `DictlearnError` with code `no_tokens` where the text has no
 * tokens to evaluate on.
 */
export const evaluate = async (dictionary: AutoEncoder, options: EvaluateOptions): Promise<Evaluation> => {
  checkDictionary("evaluate", dictionary);
  const settings = parseEvaluateOptions(options);
  await using measurement = await Measurement.open(dictionary, settings.at, settings);
  const sums = newSums(deriveSeed(settings.seed, "bootstrap"));
  const losses = newSums(deriveSeed(settings.seed, "bootstrap"));
  const text = evaluationText(settings);
  const noLosses = settings.at === null ? null : await whyNoLosses(settings.at.model);
  const alone = settings.activations === null && settings.compat === "none";
  if (text !== null && alone) {
    const countTokens = [settings.aliveTokens, settings.frequencyTokens];
    const found = await measurement.gather(text, { contexts: settings.contexts, countTokens });
    if (found.rows === 0) throw nothingToRead();
    const how = { contexts: settings.contexts, replace: "kept", losses: noLosses === null } as const;
    await measurement.measure(text, how, sums);
    return await conclude(dictionary, { settings, measurement, sums, losses: how.losses ? sums : null, noLosses });
  }
  await measureRows(dictionary, { settings, measurement, sums });
  const measured = text !== null && noLosses === null;
  if (measured) {
    const replace = settings.compat === "none" ? "kept" : "all";
    await measurement.measure(text, { contexts: settings.contexts, replace, losses: true }, losses);
  }
  return await conclude(dictionary, { settings, measurement, sums, losses: measured ? losses : null, noLosses });
};

const nothingToRead = (): DictlearnError =>
  new DictlearnError(
    "There is no text to evaluate on: no document of it is reserved for evaluation, or all are empty.",
    {
      code: "no_tokens",
      hint: "Name other text with --data PATH; every data.evaluation_every-th document of a run's own text is reserved.",
    },
  );

const evaluationText = ({ at, buffer, part }: EvaluateSettings): EvaluationText | null => {
  if (at === null) return null;
  // A partial last batch counts too.
  const contexts = { ...contextsOptions(buffer), dropPartialBatch: false };
  return new EvaluationText(at.model, at.data, { contexts, part });
};

interface Parts {
  readonly settings: EvaluateSettings;
  readonly measurement: Measurement;
  readonly sums: Bootstrap;
}

/** Rows without contexts: all of a file, or with `compat` one batch of the reference's buffer. */
const measureRows = async (dictionary: AutoEncoder, { settings, measurement, sums }: Parts): Promise<void> => {
  const { activations, aliveTokens, frequencyTokens } = settings;
  if (activations === null) {
    await using buffer = await referenceBuffer(dictionary, settings);
    const batch = await buffer.next(1, settings.signal);
    if (batch.length === 0) {
      throw new DictlearnError(
        `The text ended before the reference's buffer of ${buffer.shape.capacity / buffer.shape.ctxLen} contexts was full, and what it holds then is dropped.`,
        {
          code: "no_tokens",
          hint: "Fill fewer contexts with --buffer-contexts N (buffer.n_ctxs), name longer text with --data PATH, or evaluate with compat: none.",
        },
      );
    }
    const all = batch[0] ?? 0;
    await measurement.gatherRows(buffer, batch, { countTokens: [all, all], draw: true });
    await measurement.measureRows(buffer, batch, { draw: false, sums });
    return;
  }
  const open = async () =>
    await CachedRows.open(dictionary.worker, {
      path: activations,
      outBatchSize: settings.buffer.out_batch_size,
      dtype: dictionary.shape.dtype,
      device: "cpu",
    });
  const read = async (use: (rows: CachedRows) => Promise<void>) => {
    await using rows = await open();
    if (rows.length === 0) throw nothingToRead();
    await use(rows);
  };
  const countTokens =
    settings.compat === "none" ? [aliveTokens, frequencyTokens] : [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  await read(
    async (rows) => await measurement.gatherRows(rows, await rows.next(rows.length), { countTokens, draw: true }),
  );
  await read(async (rows) => await measurement.measureRows(rows, await rows.next(rows.length), { draw: true, sums }));
};

/** The activation buffer of dictionary_learning ddac948, from which it takes one batch. */
const referenceBuffer = async (
  dictionary: AutoEncoder,
  { at, part, buffer, seed }: EvaluateSettings,
): Promise<ActivationBuffer> => {
  if (at === null)
    throw new ConfigError("An evaluation needs a model, a submodule and data, or a file of activations.");
  const { worker } = dictionary;
  const device = resolveDevice(worker, buffer.device);
  await using scope = new Scope();
  const text = scope.use(
    "path" in at.data ? await TextStream.open(worker, at.data, at.model) : await TextStream.from(worker, at.data, part),
  );
  const contexts = scope.use(await Contexts.open(at.model, text, contextsOptions(buffer)));
  const generator = scope.use(await referenceStream(worker, seed)).ref;
  const options = { dtype: dictionary.shape.dtype, device, generator, scope };
  return await ActivationBuffer.open(contexts, [at.site], { ...bufferOptions(buffer), ...options });
};

/** The statistics from the sums, with their intervals. */
const conclude = async (
  dictionary: AutoEncoder,
  {
    settings,
    measurement,
    sums,
    losses,
    noLosses,
  }: Parts & { readonly losses: Bootstrap | null; readonly noLosses: string | null },
): Promise<Evaluation> => {
  const { size, outputWidth } = dictionary.shape;
  const alive = await measurement.firings(0);
  const fired = await measurement.firings(1);
  if (alive === null || fired === null) throw nothingToRead();
  const statistics: Partial<Record<StatisticName | "alive", Statistic>> = {
    ...statisticsFrom(sums, outputWidth, (name) => COUNTED_BY[name] === "rows"),
    alive: aliveStatistic(size, alive),
    ...(losses === null ? {} : statisticsFrom(losses, outputWidth, (name) => COUNTED_BY[name] !== "rows")),
  };
  return {
    dictionary_size: size,
    contexts: (losses ?? sums).contexts,
    tokens: named(sums.totals).rows,
    statistics,
    ...(noLosses === null ? {} : { no_losses: noLosses }),
    frequencies: frequencyHistogram(fired.tokens, fired.rows),
    ...(settings.compat === "none" ? {} : { reference: referenceStatistics(statistics) }),
  };
};

const statisticsFrom = (sums: Bootstrap, width: number, wanted: (name: StatisticName) => boolean) => {
  const totals = named(sums.totals);
  const values = statisticsOf(totals, width);
  const intervals = sums.intervals((each) => statisticsOf(named(each), width));
  return Object.fromEntries(
    STATISTIC_NAMES.filter(wanted).map((name): [StatisticName, Statistic] => [
      name,
      { value: values[name], interval: intervals[name] ?? null, tokens: totals[COUNTED_BY[name]] },
    ]),
  );
};

const aliveStatistic = (size: number, { tokens, contexts, contextsFired }: Firings): Statistic => ({
  ...aliveShare({ size, contexts, contextsFired }),
  tokens,
});

const referenceStatistics = (statistics: Evaluation["statistics"]): ReferenceStatistics => {
  const value = (name: StatisticName | "alive") => statistics[name]?.value ?? Number.NaN;
  return {
    mse_loss: value("root_mean_square_error"),
    sparsity_loss: value("l1"),
    l0: value("l0"),
    percent_alive: value("alive"),
    ...(statistics.loss_original === undefined
      ? {}
      : {
          loss_original: value("loss_original"),
          loss_reconstructed: value("loss_reconstructed"),
          loss_zero: value("loss_zero_ablation"),
          percent_recovered: value("loss_recovered_zero"),
        }),
  };
};
