import { Contexts } from "../activations/index.ts";
import {
  ActivationBuffer,
  type BufferEvents,
  bufferOptions,
  CachedRows,
  contextsOptions,
  type HeldRows,
  type ResumableSource,
} from "../buffer/index.ts";
import type { ResolvedDictionary, RunConfig } from "../config/index.ts";
import { AutoEncoder } from "../dictionary/index.ts";
import { ConfigError, DictlearnError } from "../errors.ts";
import { LanguageModel, resolveDevice, type SiteSpec } from "../nnsight/index.ts";
import type { HandleRef } from "../protocol/index.ts";
import { randomStream, referenceStream } from "../seeds.ts";
import { TextStream, textSource } from "../text/index.ts";
import { type Handle, Scope, type Worker } from "../worker/index.ts";
import type { Observer } from "./events.ts";
import type { RowFacts } from "./resources.ts";
import { siteIndex } from "./sites.ts";
import { Trainee } from "./trainee.ts";

/** A source of rows that can be closed. */
export type RunSource = ResumableSource & AsyncDisposable;

export interface SourceOptions {
  readonly sites: readonly SiteSpec[];
  readonly generators: Generators;
  /** Owns the source and its inputs. */
  readonly scope: Scope;
  readonly device: string;
  readonly observe: Observer;
  readonly events: BufferEvents;
  /** Called with the widths and the model before memory is allocated for the rows; throws if they would not fit. */
  readonly approve: (rows: RowFacts, model?: LanguageModel) => void | Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The run's random streams: one for each purpose, or one for everything, as in dictionary_learning ddac948. They are
 * released together.
 */
export class Generators implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #seed: number;
  readonly #shared: HandleRef | undefined;
  readonly #handles: HandleRef[] = [];
  readonly #scope = new Scope();

  private constructor(worker: Worker, seed: number, shared: Handle | undefined) {
    this.#worker = worker;
    this.#seed = seed;
    this.#shared = shared === undefined ? undefined : this.#keep(shared);
  }

  /** All streams, in the order in which they were made, which is the same in every run of a config. */
  get handles(): readonly HandleRef[] {
    return this.#handles;
  }

  static async create(
    worker: Worker,
    { seed, random_streams }: Pick<RunConfig, "seed" | "random_streams">,
  ): Promise<Generators> {
    return new Generators(worker, seed, random_streams === "one" ? await referenceStream(worker, seed) : undefined);
  }

  /** The stream for `purpose`. It does not depend on the rest of the run. */
  async stream(purpose: "buffer" | "dictionary", seed = this.#seed): Promise<HandleRef> {
    if (this.#shared !== undefined) return this.#shared;
    return this.#keep(await randomStream(this.#worker, seed, purpose));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
  }

  #keep(stream: Handle): HandleRef {
    this.#handles.push(this.#scope.use(stream).ref);
    return stream.ref;
  }
}

/** The rows that the run trains on: cached ones, or a buffer that the model fills from text. */
export const openSource = async (worker: Worker, config: RunConfig, options: SourceOptions): Promise<RunSource> => {
  const { buffer, dtype, activations } = config;
  const { scope } = options;
  if (activations) {
    const rows = { path: activations, outBatchSize: buffer.out_batch_size, dtype, device: options.device };
    const cached = scope.use(await CachedRows.open(worker, rows));
    await options.approve({ widths: cached.widths, batchRows: cached.batchRows, cachedBatches: cached.length });
    return cached;
  }
  if (!config.model || !config.data)
    throw new ConfigError("The config names neither activations nor a model and data.");
  const { observe, signal } = options;
  observe({ type: "stage", message: `Loading ${config.model}` });
  const model = scope.use(
    await LanguageModel.load(config.model, {
      worker,
      device: options.device,
      dtype: config.model_dtype,
      revision: config.revision,
      trustRemoteCode: config.trust_remote_code,
      ...(signal === undefined ? {} : { signal }),
      onProgress: ({ stage, done, total }) => observe({ type: "stage", message: stage, done, total }),
    }),
  );
  const outside = tokensOutside(model);
  if (outside !== undefined) observe({ type: "notice", message: outside });
  await options.approve({ widths: await model.widths(options.sites), batchRows: buffer.out_batch_size }, model);
  const { data } = config;
  const device = resolveDevice(worker, buffer.device);
  const text = scope.use(await TextStream.open(worker, textSource(data, "training", config.seed), model));
  if (text.splits.length > 1) {
    const message = `${data.path} has the splits ${text.splits.join(", ")}; the run reads ${data.split} (data.split).`;
    observe({ type: "notice", message });
  }
  const contexts = scope.use(await Contexts.open(model, text, contextsOptions(buffer)));
  const opened = await ActivationBuffer.open(contexts, options.sites, {
    ...bufferOptions(buffer),
    dtype,
    device,
    generator: await options.generators.stream("buffer"),
    keepContexts: config.resume === "exact",
    events: options.events,
  });
  return scope.use(opened);
};

/** Describes a tokenizer with more tokens than its model, as when tokens were added and the model was not enlarged. */
const tokensOutside = ({ facts: { tokens_outside: tokens } }: LanguageModel): string | undefined => {
  if (tokens.length === 0) return undefined;
  const named = tokens.slice(0, TOKENS_NAMED).join(", ");
  const more = tokens.length > TOKENS_NAMED ? ` and ${tokens.length - TOKENS_NAMED} more` : "";
  return `The model's embedding has no row for the tokenizer's ${named}${more}: a text that holds such a token is refused.`;
};

const TOKENS_NAMED = 5;

export interface TraineeContext {
  readonly config: RunConfig;
  readonly sites: readonly SiteSpec[];
  readonly device: string;
  readonly generators: Generators;
  /** Owns the dictionaries and their optimisers. */
  readonly scope: Scope;
}

/** The dictionaries, freshly initialised in the config's order, each with its optimiser. */
export const createTrainees = async (
  source: HeldRows,
  dictionaries: readonly ResolvedDictionary[],
  { config, sites, device, generators, scope }: TraineeContext,
): Promise<Trainee[]> => {
  const trainees: Trainee[] = [];
  for (const each of dictionaries) {
    const site = siteIndex(config, sites, each);
    const widths = source.widths[site];
    if (widths === undefined) throw new Error(`No rows for ${each.name}.`);
    checkPairs(source, each);
    const generator = await generators.stream("dictionary", each.seed);
    const shape = {
      inputWidth: widths.input,
      outputWidth: widths.output,
      size: each.dictionary_size,
      dtype: config.dtype,
    };
    const dictionary = scope.use(
      await AutoEncoder.create(source.worker, shape, { device, generator, origin: source.origins?.[site] }),
    );
    const { autocast } = config;
    const options = { name: each.name, site, settings: each.train, autocast, generator };
    trainees.push(scope.use(await Trainee.create(dictionary, options)));
  }
  return trainees;
};

/** Cached rows have targets exactly when the dictionaries expect them. */
const checkPairs = (source: HeldRows, { name, io }: ResolvedDictionary): void => {
  if (!(source instanceof CachedRows) || source.paired === (io === "in_to_out")) return;
  throw new DictlearnError(
    source.paired
      ? `The activations file has targets, but ${name} has io: ${io}, which reconstructs its inputs.`
      : `${name} has io: in_to_out, but the activations file has no targets.`,
    {
      code: "activations",
      hint: source.paired
        ? "Set io: in_to_out, or leave the targets out."
        : "Add a tensor named targets, or set io: out.",
    },
  );
};
