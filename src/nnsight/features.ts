import { DictlearnError } from "../errors.ts";
import { checkArguments, checkOptions, kinds, optionsOf, shown } from "../options/index.ts";
import { requireOwnPlace } from "../places/index.ts";
import type { LanguageModel } from "./language-model.ts";
import { withoutCall } from "./module-path.ts";
import type { Prompts } from "./prompts.ts";
import type { SavedTensor } from "./saved-tensor.ts";
import { io as ioKind, type SiteSpec } from "./site.ts";
import { type Site, type TraceDictionary, type TraceInvoke, type TraceOptions, Value } from "./trace/index.ts";

/** Where a dictionary reads and writes: a module by its path; its output, its first input, or from its input to its output. */
export interface FeatureSite {
  readonly submodule: string;
  readonly io?: SiteSpec["io"];
  /** Allow a site where the dictionary was not trained; without it, that is an error. */
  readonly transfer?: boolean;
}

/** The attribution of one forward pass to each feature, to first order. All are freed together with `await using`. */
export interface Attribution extends AsyncDisposable {
  /** Gradient × activation of each feature, (batch, position, size). */
  readonly features: SavedTensor;
  /** The same for the reconstruction error, summed over its coordinates, (batch, position). */
  readonly error: SavedTensor;
  /** The features' activations, (batch, position, size). */
  readonly activations: SavedTensor;
  /** The metric itself, one number. */
  readonly metric: SavedTensor;
}

const PLACE = optionsOf<FeatureSite>({ submodule: kinds.name(), io: ioKind(), transfer: kinds.flag() }, ["submodule"]);
const DICTIONARY = kinds.having<TraceDictionary>("a dictionary, as AutoEncoder.load gives", "worker", "ref", "shape");

/**
 * The features of a dictionary at one place of a model. Let x be the activations that it reads, y those that it
 * reconstructs (x itself, or with `in_to_out` the output of the module whose input is x), f = encode(x), and e = y −
 * decode(f) the error. All tools keep e, so they change only the features they are given.
 *
 * Several prompts are padded on the left, and features on padding are meaningless: `model.tokenizer.batch(prompts)` has
 * the tokens and the mask.
 */
export class ModelFeatures {
  readonly model: LanguageModel;
  readonly dictionary: TraceDictionary;
  readonly submodule: string;
  readonly io: SiteSpec["io"];

  /**
   * Created by `model.features`. Throws a `ConfigError` for an unknown module, and `DictlearnError` with code
   * `other_place` where the dictionary was trained at another place, or `wrong_dictionary` where its input and output
   * widths differ, but `io` names one place for both.
   */
  constructor(model: LanguageModel, place: FeatureSite, dictionary: TraceDictionary) {
    checkOptions(PLACE, place, "features");
    checkArguments("features", { dictionary: [dictionary, DICTIONARY] });
    const { submodule, io = "out", transfer } = place;
    const { inputWidth, outputWidth } = dictionary.shape;
    if (io !== "in_to_out" && inputWidth !== outputWidth) {
      throw new DictlearnError(
        `This dictionary reads rows of ${inputWidth} numbers and writes rows of ${outputWidth}, but with io: ${io} both are the same rows.`,
        { code: "wrong_dictionary", hint: 'Name the module as { submodule, io: "in_to_out" }.' },
      );
    }
    this.model = model;
    this.dictionary = dictionary;
    this.submodule = model.at(submodule);
    this.io = io;
    if (transfer !== true) requireOwnPlace(dictionary.origin, { submodule: this.submodule, io }, model.facts.modules);
  }

  /** How strongly each feature is active on each token: (batch, position, size), in the dictionary's dtype. */
  async featureActivations(prompts: Prompts, options?: TraceOptions): Promise<SavedTensor> {
    const { activations } = await this.model.trace(prompts, (t) => ({ activations: this.#encode(t).save() }), options);
    return activations;
  }

  /**
   * The attribution of a metric to each feature and to the error, to first order: ∂m/∂f_i · f_i and Σ ∂m/∂e · e. That
   * is the amount by which the metric would fall with the feature at zero, if the rest of the model were linear. The
   * metric is one number, such as a difference of two logits; the forward pass itself is unchanged.
   *
   *     await features.attribution("The capital of France is", (t) => t.logits.select(0, 0).position(-1).feature(paris));
   *
   * Source: Marks et al. 2024, "Sparse feature circuits", indirect effects by attribution patching, against zero;
   * errors as separate nodes likewise. Gradient × activation: Nanda 2023, "Attribution patching".
   */
  async attribution(prompts: Prompts, metric: (t: TraceInvoke) => Value, options?: TraceOptions): Promise<Attribution> {
    checkArguments("attribution", { metric: [metric, kinds.callback()] });
    const { dictionary } = this;
    return await this.model.trace(
      prompts,
      (t) => {
        const features = this.#encode(t).variable();
        const site = this.site(t);
        const error = site.sub(features.decode(dictionary)).variable();
        site.replace(features.decode(dictionary).add(error));
        const value: unknown = metric(t);
        if (!(value instanceof Value)) {
          const message = `the metric must return a value of the trace, but returns ${shown(value)}`;
          throw t.recorder.error(
            "attribution",
            "trace_misuse",
            message,
            "Return t.logits.position(-1).feature(id), for example.",
          );
        }
        const [byFeatures, byError] = t.gradient(value, [features, error]) as [Value, Value];
        return {
          features: byFeatures.mul(features).save(),
          error: byError.mul(error).sum("feature").save(),
          activations: features.save(),
          metric: value.save(),
        };
      },
      options,
    );
  }

  /**
   * An intervention that adds `strength` to features at every position, whatever their value: x becomes decode(f +
   * strength·1_i) + e, which is x plus `strength` times the feature's direction. Use it in traces:
   *
   *     const louder = features.steer(137, 8);
   *     await model.trace(prompts, (t) => {
   *       louder(t);
   *       return { logits: t.logits.save() };
   *     });
   *
   * Or in every pass of a generation: `model.generate(prompts, { intervene: louder })`.
   *
   * Source: activation addition, Turner et al. 2023; along a dictionary's features, Templeton et al. 2024, who clamp
   * instead: that is `clamp`.
   */
  steer(feature: number | readonly number[], strength: number): (t: TraceInvoke) => void {
    this.#check("steer", feature, { strength });
    return (t) => this.#change(t, (f) => f.put("feature", feature, f.feature(feature).add(strength)));
  }

  /**
   * An intervention that sets features to a value at every position; 0 removes them. Use it like `steer`. Source:
   * Templeton et al. 2024, "Scaling Monosemanticity", feature steering.
   */
  clamp(feature: number | readonly number[], value: number): (t: TraceInvoke) => void {
    this.#check("clamp", feature, { value });
    return (t) => this.#change(t, (f) => f.put("feature", feature, value));
  }

  /** The place in a trace; with `in_to_out`, the output; of a tuple the first tensor, as in training. */
  site(t: TraceInvoke): Site {
    return this.#side(t, this.io === "in" ? "input" : "output");
  }

  #check(caller: string, feature: number | readonly number[], amount: Readonly<Record<string, number>>): void {
    const { size } = this.dictionary.shape;
    const known = (each: unknown) => Number.isSafeInteger(each) && (each as number) >= 0 && (each as number) < size;
    const words = `the number of a feature, from 0 to ${size - 1}, or a list of them`;
    const amounts = Object.entries(amount).map(([key, each]) => [key, [each, kinds.finite()]] as const);
    const features = kinds.that(words, (value) => [value].flat().every(known));
    checkArguments(caller, { feature: [feature, features], ...Object.fromEntries(amounts) });
  }

  /** Where the features are read. */
  #read(t: TraceInvoke): Site {
    return this.#side(t, this.io === "out" ? "output" : "input");
  }

  /** The place was checked in the constructor. */
  #encode(t: TraceInvoke): Value {
    return this.#read(t).encode(this.dictionary, { transfer: true });
  }

  #side(t: TraceInvoke, side: "input" | "output"): Site {
    const module = t.recorder.modules.get(withoutCall(this.submodule));
    if (module !== undefined && module.calls > 1) {
      throw new DictlearnError(
        `${module.path} runs ${module.calls} times in one pass, and a trace comes by the first of them alone.`,
        { code: "repeated_module", hint: "Name a module that runs once: model.modules() has the calls of each." },
      );
    }
    const tensor = module?.[side]?.tensors[0];
    return (tensor?.at ?? []).reduce((part: Site, key) => part.element(key), t.at(withoutCall(this.submodule))[side]);
  }

  #change(t: TraceInvoke, changed: (f: Value) => Value): void {
    const { dictionary } = this;
    const features = this.#encode(t);
    const site = this.site(t);
    const error = site.sub(features.decode(dictionary));
    site.replace(changed(features).decode(dictionary).add(error));
  }
}
