import { kinds } from "../../options/index.ts";
import { otherPlace } from "../../places/index.ts";
import type { ModuleInfo } from "../modules.ts";
import { requireArguments, requireDictionary, requireFeatures, requireIndex } from "./checks.ts";
import type { Recorder } from "./recorder.ts";
import { type Axis, axisOf, describeShape, type Index, requireFits, type Shape, ShapeMistake } from "./shape.ts";
import { type Operand, operandOf, Value } from "./value.ts";
import type { EncodeOptions, TraceDictionary } from "./value-parts.ts";

/** A part of a module's input or output, for the prompts of one invoke. */
export interface Place {
  readonly module: ModuleInfo;
  readonly side: "input" | "output";
  /** The indices and keys of its place in a tuple or a dict. */
  readonly at: readonly string[];
  readonly invoke: number;
}

interface Selection {
  readonly dim: number;
  readonly index: Index;
}

/**
 * A module's input or output, both the value read at this point and the place: the model continues with the value
 * written there. A selection of it (`position`, `batch`, `feature`, `select`) can be written too. If the module has a
 * tuple or a dict, `element` selects a part.
 */
export class Site extends Value {
  readonly #place: Place;
  /** The value of the full place, of which this is a selection. */
  readonly #whole: number;
  readonly #selections: readonly Selection[];

  /** Created by `at`. */
  constructor(recorder: Recorder, value: { id: number; shape: Shape }, how: SiteParts) {
    super(recorder, value.id, value.shape);
    this.#place = how.place;
    this.#whole = how.whole;
    this.#selections = how.selections;
  }

  /** Reads a place. */
  static at(recorder: Recorder, place: Place): Site {
    const side = place.module[place.side];
    const name = place.module.path || "the model";
    if (side === null) {
      const hint = "Choose a module that runs by itself, such as one of those below it.";
      throw recorder.error(place.side, "trace_module", `${name} does not run in a forward pass`, hint);
    }
    const inside = side.tensors.filter(({ at }) => place.at.every((key, index) => at[index] === key));
    const tensor = inside.find(({ at }) => at.length === place.at.length);
    if (inside.length === 0) {
      const there = side.tensors.map(({ at }) => at.join(".") || "itself").join(", ");
      const message = `the ${place.side} of ${name} has no part ${place.at.join(".") || "that is a tensor"}`;
      throw recorder.error(place.side, "trace_no_part", message, there === "" ? undefined : `It has ${there}.`);
    }
    // A tuple or a dict has no number; requesting it is an error.
    const id = tensor === undefined ? -1 : read(recorder, place);
    const shape = tensor?.shape ?? null;
    return new Site(recorder, { id, shape }, { place, whole: id, selections: [] });
  }

  override get id(): number {
    return super.id >= 0 ? super.id : this.#misused();
  }

  /** A tuple or a dict is used as a tensor. */
  #misused(): never {
    const { module, side } = this.#place;
    const parts = module[side]?.tensors.map(({ at }) => at.join(".")).join(", ");
    throw this.recorder.error(
      side,
      "trace_not_a_tensor",
      `the ${side} of ${module.path || "the model"} is a ${module[side]?.kind} of several parts`,
      `Take one with element(…): ${parts}.`,
    );
  }

  /** A part of a tuple, by its index, or of a dict, by its key. */
  element(key: number | string): Site {
    requireArguments(this.recorder, "element", { key: [key, ELEMENT] });
    return Site.at(this.recorder, { ...this.#place, at: [...this.#place.at, String(key)] });
  }

  override position(index: Index): Site {
    return this.select("position", index);
  }
  override batch(index: Index): Site {
    return this.select("batch", index);
  }
  override feature(index: Index): Site {
    return this.select("feature", index);
  }
  override select(axis: Axis, index: Index): Site {
    const dim = this.recorder.check("select", () => {
      requireIndex(index);
      return axisOf(this.shape, axis);
    });
    const selections = [...this.#selections, { dim, index }];
    return new Site(this.recorder, super.select(dim, index), { place: this.#place, whole: this.#whole, selections });
  }

  /** Writes a value here. It may be smaller than the place if it broadcasts to its shape; a number fills it. */
  replace(value: Operand): void {
    const { recorder } = this;
    const taken = operandOf(recorder, value, "replace");
    recorder.check("replace", () => requireFits(taken.shape, this.shape));
    // Read again where only a part changes: an earlier write to another part must stay.
    const whole = this.#selections.length === 0 ? taken : this.#withPart(this.#readWhole(), this.#selections, taken);
    const { module, side, at, invoke } = this.#place;
    const event = module[side]?.event ?? 0;
    recorder.record({ name: "replace", takes: [this.id, whole.id], makes: 0, event }, () => {
      return { op: "write", module: module.path, side, at: [...at], invoke, value: whole.id };
    });
  }

  /** Writes zeros here. */
  zero(): void {
    this.replace(0);
  }

  /** Writes a mean here: the given one, or the mean of these values over all but their last dimension. */
  meanAblate(mean?: Operand): void {
    this.replace(mean ?? this.#ownMean());
  }

  /** Adds `strength` times a vector. Source: activation addition, Turner et al. 2023. */
  steer(vector: Operand, strength = 1): void {
    requireArguments(this.recorder, "steer", { strength: [strength, kinds.finite()] });
    const scaled = strength === 1 ? vector : operandOf(this.recorder, vector, "steer").mul(strength);
    this.replace(this.add(scaled));
  }

  /**
   * Sets features of a dictionary to a value and keeps the reconstruction error: with f = encode(x), f′ the same with
   * those features set, this becomes decode(f′) + (x − decode(f)). Source: Templeton et al. 2024, "Scaling
   * Monosemanticity", feature steering.
   */
  clampFeature(
    dictionary: TraceDictionary,
    feature: number | readonly number[],
    value: Operand,
    options?: EncodeOptions,
  ): void {
    requireDictionary(this.recorder, "clampFeature", dictionary);
    this.recorder.check("clampFeature", () => requireFeatures(feature, dictionary.shape.size));
    const features = this.encode(dictionary, options);
    const error = this.sub(features.decode(dictionary));
    this.replace(features.put("feature", feature, value).decode(dictionary).add(error));
  }

  /** Sets features to zero and keeps the reconstruction error; see `clampFeature`. */
  ablateFeature(dictionary: TraceDictionary, feature: number | readonly number[], options?: EncodeOptions): void {
    this.clampFeature(dictionary, feature, 0, options);
  }

  /**
   * The dictionary's features of these activations, (…, size): an error if it was certainly trained at another place.
   */
  override encode(dictionary: TraceDictionary, options?: EncodeOptions): Value {
    const features = super.encode(dictionary, options);
    const { module, side } = this.#place;
    const here = { submodule: module.path, io: side === "input" ? "in" : "out" } as const;
    const why = otherPlace(dictionary.origin, here, [...this.recorder.modules.keys()], { reads: true });
    if (why !== null && options?.transfer !== true) {
      const hint =
        "Encode there, or say that it is meant to be used elsewhere: encode(dictionary, { transfer: true }).";
      throw this.recorder.error("encode", "other_place", why.replace(/\.$/, ""), hint);
    }
    return features;
  }

  /** The number of the full value, and how this one was selected from it: gradients are taken of the full value. */
  get origin(): { readonly whole: number; readonly selections: readonly Selection[] } {
    if (this.#whole < 0) this.#misused();
    return { whole: this.#whole, selections: this.#selections };
  }

  #ownMean(): Value {
    const { shape } = this;
    const axes = this.recorder.check("meanAblate", () => {
      if (shape === null || shape.length < 2)
        throw new ShapeMistake(`${describeShape(shape)} has nothing to average over`);
      return Array.from({ length: shape.length - 1 }, (_, index) => index);
    });
    return this.mean(axes, { keep: true });
  }

  #readWhole(): Value {
    const { module, side, at } = this.#place;
    const shape = module[side]?.tensors.find((tensor) => tensor.at.join("\0") === at.join("\0"))?.shape ?? null;
    return new Value(this.recorder, read(this.recorder, this.#place), shape);
  }

  #withPart(whole: Value, selections: readonly Selection[], part: Value): Value {
    const [first, ...rest] = selections;
    if (first === undefined) return part;
    const inner = rest.length === 0 ? part : this.#withPart(whole.select(first.dim, first.index), rest, part);
    return whole.put(first.dim, first.index, inner);
  }
}

const ELEMENT = kinds.that<number | string>(
  "the index of a tuple or the key of a dict",
  (value) => typeof value === "string" || (Number.isSafeInteger(value) && (value as number) >= 0),
);

interface SiteParts {
  readonly place: Place;
  readonly whole: number;
  readonly selections: readonly Selection[];
}

const read = (recorder: Recorder, { module, side, at, invoke }: Place): number => {
  const event = module[side]?.event ?? 0;
  const place = { module: module.path, side, at: [...at], invoke };
  const [id = -1] = recorder.record({ name: side, event }, ([id = 0]) => ({ op: "read", id, ...place }));
  return id;
};

/** One module in a trace. Each access reads: it returns the value after all writes recorded so far. */
export class TraceModule {
  readonly #recorder: Recorder;
  readonly #module: ModuleInfo;
  readonly #invoke: number;

  constructor(recorder: Recorder, module: ModuleInfo, invoke: number) {
    this.#recorder = recorder;
    this.#module = module;
    this.#invoke = invoke;
  }

  get path(): string {
    return this.#module.path;
  }

  /** Its first argument. */
  get input(): Site {
    return this.#side("input");
  }

  /** Its output. */
  get output(): Site {
    return this.#side("output");
  }

  #side(side: "input" | "output"): Site {
    return Site.at(this.#recorder, { module: this.#module, side, at: [], invoke: this.#invoke });
  }
}
