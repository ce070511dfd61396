import { kinds, shown } from "../../options/index.ts";
import type { TraceOperation } from "../../protocol/index.ts";
import { Handle } from "../../worker/index.ts";
import { SavedTensor } from "../saved-tensor.ts";
import { requireArguments, requireDictionary, requireIndex, requireOptions, requireReduceOptions } from "./checks.ts";
import type { Recorder } from "./recorder.ts";
import {
  type Axis,
  axisOf,
  broadcastShape,
  describeShape,
  type Index,
  pickedShape,
  productShape,
  reducedShape,
  requireFits,
  type Shape,
  ShapeMistake,
} from "./shape.ts";
import { CAST_TYPE, type CastType, ENCODE, SIZES, TOPK, type TopkOptions, WHOLE_NUMBERS } from "./value-arguments.ts";
import {
  type EncodeOptions,
  type ReduceOptions,
  requireSameWorker,
  Saved,
  type TraceDictionary,
  wireIndex,
} from "./value-parts.ts";

/** A tensor of the worker: one that an earlier trace saved, or the bridge's handle of one. */
export type HeldTensor = SavedTensor | Handle;

/** An operand: a value of this trace, a tensor of the worker, or a number. */
export type Operand = Value | HeldTensor | number;

type Apply = Extract<TraceOperation, { op: "apply" }>["function"];
type Reduce = Extract<TraceOperation, { op: "reduce" }>["function"];
type Along = Extract<TraceOperation, { op: "along" }>["function"];

/**
 * A tensor of a recorded trace. Its methods compute nothing; they record operations for the worker, and return new
 * values. Nothing changes in place. Shape mistakes that can be detected here throw a `TraceError` at once.
 */
export class Value {
  readonly #recorder: Recorder;
  readonly #id: number;
  readonly #shape: Shape;

  constructor(recorder: Recorder, id: number, shape: Shape) {
    this.#recorder = recorder;
    this.#id = id;
    this.#shape = shape;
  }

  /** The number of the value in the program. */
  get id(): number {
    return this.#id;
  }

  /**
   * The known part of the shape: numbers, `"batch"` and `"position"`; null for dimensions, or a shape, not known yet.
   */
  get shape(): Shape {
    return this.#shape;
  }

  get recorder(): Recorder {
    return this.#recorder;
  }

  /** Keeps the value, if the callback returns the mark. */
  save(): Saved {
    const before = this.recorder.operations.filter(({ operation }) => operation.op === "save").length;
    this.recorder.record({ name: "save", takes: [this.id], makes: 0 }, () => ({ op: "save", input: this.id }));
    return new Saved(this.recorder, before);
  }

  /** One position, which drops the dimension; several; or a range. Negative ones count from the end: prompts are padded on the left. */
  position(index: Index): Value {
    return this.select("position", index);
  }

  /** Some prompts of the batch. */
  batch(index: Index): Value {
    return this.select("batch", index);
  }

  /** Some entries of the last dimension. */
  feature(index: Index): Value {
    return this.select("feature", index);
  }

  /** A part along any dimension: `x[:, index]` for dimension 1. */
  select(axis: Axis, index: Index): Value {
    const { recorder } = this;
    const [dim, shape] = recorder.check("select", () => {
      requireIndex(index);
      const dim = axisOf(this.shape, axis);
      return [dim, pickedShape(this.shape, dim, index)];
    });
    const picked = { op: "pick", input: this.id, dim, index: wireIndex(index) } as const;
    return this.#made("select", shape, (id) => ({ ...picked, id }));
  }

  /** The same value with one part replaced along a dimension: a copy with `copy[:, index] = part` for dimension 1. */
  put(axis: Axis, index: Index, part: Operand): Value {
    const { recorder } = this;
    const value = operandOf(recorder, part, "put");
    const dim = recorder.check("put", () => {
      requireIndex(index);
      const dim = axisOf(this.shape, axis);
      requireFits(value.shape, pickedShape(this.shape, dim, index));
      return dim;
    });
    const put = { op: "put", input: this.id, dim, index: wireIndex(index), value: value.id } as const;
    return recordValue(recorder, { name: "put", takes: [this.id, value.id], shape: this.shape }, (id) => ({
      ...put,
      id,
    }));
  }

  add(other: Operand): Value {
    return this.#apply("add", other);
  }
  sub(other: Operand): Value {
    return this.#apply("sub", other);
  }
  mul(other: Operand): Value {
    return this.#apply("mul", other);
  }
  div(other: Operand): Value {
    return this.#apply("div", other);
  }
  pow(other: Operand): Value {
    return this.#apply("pow", other);
  }
  gt(other: Operand): Value {
    return this.#apply("gt", other);
  }
  ge(other: Operand): Value {
    return this.#apply("ge", other);
  }
  lt(other: Operand): Value {
    return this.#apply("lt", other);
  }
  le(other: Operand): Value {
    return this.#apply("le", other);
  }
  eq(other: Operand): Value {
    return this.#apply("eq", other);
  }
  /** The matrix product over the last dimension of this and the second to last of the other. */
  matmul(other: Value | HeldTensor): Value {
    return this.#apply("matmul", other);
  }
  neg(): Value {
    return this.#apply("neg");
  }
  abs(): Value {
    return this.#apply("abs");
  }
  exp(): Value {
    return this.#apply("exp");
  }
  log(): Value {
    return this.#apply("log");
  }
  sqrt(): Value {
    return this.#apply("sqrt");
  }
  relu(): Value {
    return this.#apply("relu");
  }
  sigmoid(): Value {
    return this.#apply("sigmoid");
  }
  tanh(): Value {
    return this.#apply("tanh");
  }

  /** Over the given axes, or all of them. */
  sum(axes?: Axis | readonly Axis[], options?: ReduceOptions): Value {
    return this.#reduce("sum", axes, options);
  }
  mean(axes?: Axis | readonly Axis[], options?: ReduceOptions): Value {
    return this.#reduce("mean", axes, options);
  }
  /** The square root of the sum of squares. */
  norm(axes?: Axis | readonly Axis[], options?: ReduceOptions): Value {
    return this.#reduce("norm", axes, options);
  }
  max(axes?: Axis | readonly Axis[], options?: ReduceOptions): Value {
    return this.#reduce("max", axes, options);
  }
  min(axes?: Axis | readonly Axis[], options?: ReduceOptions): Value {
    return this.#reduce("min", axes, options);
  }
  /** The mean squared distance from the mean. */
  variance(axes?: Axis | readonly Axis[], options?: ReduceOptions): Value {
    return this.#reduce("variance", axes, options);
  }
  logsumexp(axes?: Axis | readonly Axis[], options?: ReduceOptions): Value {
    return this.#reduce("logsumexp", axes, options);
  }
  any(axes?: Axis | readonly Axis[], options?: ReduceOptions): Value {
    return this.#reduce("any", axes, options);
  }
  all(axes?: Axis | readonly Axis[], options?: ReduceOptions): Value {
    return this.#reduce("all", axes, options);
  }

  softmax(axis: Axis = -1): Value {
    return this.#along("softmax", axis);
  }
  logSoftmax(axis: Axis = -1): Value {
    return this.#along("log_softmax", axis);
  }
  cumsum(axis: Axis = -1): Value {
    return this.#along("cumsum", axis);
  }
  /** The index of the largest entry, as int64. */
  argmax(axis: Axis = -1): Value {
    return this.#along("argmax", axis);
  }
  argmin(axis: Axis = -1): Value {
    return this.#along("argmin", axis);
  }

  /** The k largest entries (or smallest), in order, with their indices. */
  topk(k: number, options: TopkOptions = {}): { values: Value; indices: Value } {
    const { recorder } = this;
    requireArguments(recorder, "topk", { k: [k, kinds.whole(1)] });
    requireOptions(recorder, "topk", TOPK, options);
    const [dim, shape] = recorder.check("topk", () => {
      const dim = axisOf(this.shape, options.axis ?? -1);
      const size = this.shape?.at(dim);
      if (typeof size === "number" && k > size) throw new ShapeMistake(`k is ${k}, but the dimension has ${size}`);
      return [dim, this.shape === null ? null : this.shape.with(dim, k)];
    });
    const topk = { op: "topk", input: this.id, k, dim, largest: options.largest ?? true } as const;
    const [id = 0, indices = 0] = recorder.record(
      { name: "topk", takes: [this.id], makes: 2 },
      ([id = 0, second = 0]) => ({
        ...topk,
        id,
        indices: second,
      }),
    );
    return { values: new Value(recorder, id, shape), indices: new Value(recorder, indices, shape) };
  }

  reshape(shape: readonly number[]): Value {
    requireArguments(this.recorder, "reshape", { shape: [shape, SIZES] });
    const known = shape.map((each) => (each < 0 ? null : each));
    return this.#made("reshape", known, (id) => ({ op: "reshape", id, input: this.id, shape: [...shape] }));
  }

  /** The dimensions in another order. */
  permute(dims: readonly number[]): Value {
    requireArguments(this.recorder, "permute", { dims: [dims, WHOLE_NUMBERS] });
    const shape = this.recorder.check("permute", () =>
      dims.map((dim) => this.shape?.at(axisOf(this.shape, dim)) ?? null),
    );
    return this.#made("permute", shape, (id) => ({ op: "permute", id, input: this.id, dims: [...dims] }));
  }

  /** In another dtype. */
  to(dtype: CastType): Value {
    requireArguments(this.recorder, "to", { dtype: [dtype, CAST_TYPE] });
    return this.#made("to", this.shape, (id) => ({ op: "cast", id, input: this.id, dtype }));
  }

  /** The same numbers, detached from the graph that computed them: no gradient flows through. */
  detach(): Value {
    return this.#variable("detach", false);
  }

  /** The same numbers as a new leaf: gradients can be taken with respect to them, and none flow further back. */
  variable(): Value {
    return this.#variable("variable", true);
  }

  /** The dictionary's features of these activations, (…, size), in the dictionary's dtype. */
  encode(dictionary: TraceDictionary, options?: EncodeOptions): Value {
    requireDictionary(this.recorder, "encode", dictionary);
    if (options !== undefined) requireOptions(this.recorder, "encode", ENCODE, options);
    return this.#through("encode", dictionary, dictionary.shape.inputWidth, dictionary.shape.size);
  }

  /** The reconstruction of these features, (…, outputWidth). */
  decode(dictionary: TraceDictionary): Value {
    requireDictionary(this.recorder, "decode", dictionary);
    return this.#through("decode", dictionary, dictionary.shape.size, dictionary.shape.outputWidth);
  }

  /** The dictionary's reconstruction of these activations. */
  reconstruct(dictionary: TraceDictionary, options?: EncodeOptions): Value {
    return this.encode(dictionary, options).decode(dictionary);
  }

  #apply(name: Apply, other?: Operand): Value {
    const { recorder } = this;
    const others = other === undefined ? [] : [operandOf(recorder, other, name)];
    return applied(recorder, name, [this, ...others]);
  }

  #reduce(name: Reduce, axes: Axis | readonly Axis[] | undefined, options: ReduceOptions = {}): Value {
    const { recorder } = this;
    requireReduceOptions(recorder, name, options);
    const { keep = false } = options;
    const list = axes === undefined ? null : Array.isArray(axes) ? (axes as readonly Axis[]) : [axes as Axis];
    const dims = recorder.check(name, () => list?.map((axis) => axisOf(this.shape, axis)) ?? null);
    const shape = reducedShape(this.shape, dims, keep);
    return this.#made(name, shape, (id) => ({ op: "reduce", id, function: name, input: this.id, dims, keep }));
  }

  #along(name: Along, axis: Axis): Value {
    const dim = this.recorder.check(name, () => axisOf(this.shape, axis));
    const drops = name === "argmax" || name === "argmin";
    const shape = drops ? reducedShape(this.shape, [dim], false) : this.shape;
    return this.#made(name, shape, (id) => ({ op: "along", id, function: name, input: this.id, dim }));
  }

  #variable(name: string, gradient: boolean): Value {
    return this.#made(name, this.shape, (id) => ({ op: "variable", id, input: this.id, gradient }));
  }

  #through(op: "encode" | "decode", dictionary: TraceDictionary, from: number, to: number): Value {
    const { recorder } = this;
    requireSameWorker(recorder, dictionary.worker, op, "dictionary");
    recorder.check(op, () => {
      const last = this.shape?.at(-1);
      if (typeof last === "number" && last !== from) {
        throw new ShapeMistake(
          `the dictionary takes ${from} numbers in a row, but this is ${describeShape(this.shape)}`,
        );
      }
    });
    const shape = this.shape === null ? null : this.shape.with(-1, to);
    return this.#made(op, shape, (id) => ({ op, id, dictionary: dictionary.ref, input: this.id }));
  }

  /** Records an operation that computes one value from this one. */
  #made(name: string, shape: Shape, build: (id: number) => TraceOperation): Value {
    return recordValue(this.recorder, { name, takes: [this.id], shape }, build);
  }
}

/** Records an operation that computes one value of this shape. */
export const recordValue = (
  recorder: Recorder,
  { name, takes = [], shape }: { readonly name: string; readonly takes?: readonly number[]; readonly shape: Shape },
  build: (id: number) => TraceOperation,
): Value => {
  const [id = 0] = recorder.record({ name, takes }, ([id = 0]) => build(id));
  return new Value(recorder, id, shape);
};

/** Records an elementwise function, or a matrix product. */
export const applied = (recorder: Recorder, name: Apply, inputs: readonly Value[]): Value => {
  const shape = recorder.check(name, () => {
    const [first = null, ...rest] = inputs.map((each) => each.shape);
    return name === "matmul" ? productShape(first, rest[0] ?? null) : rest.reduce(broadcastShape, first);
  });
  const takes = inputs.map((each) => each.id);
  return recordValue(recorder, { name, takes, shape }, (id) => ({ op: "apply", id, function: name, inputs: takes }));
};

/** An operand as a value of the trace. */
export const operandOf = (recorder: Recorder, operand: Operand, name: string): Value => {
  if (operand instanceof Value) {
    if (operand.recorder === recorder) return operand;
    throw recorder.error(
      name,
      "trace_misuse",
      "this value belongs to another trace",
      "Save it there, and use the saved tensor here.",
    );
  }
  if (typeof operand === "number") {
    if (Number.isNaN(operand)) throw recorder.error(name, "trace_misuse", "NaN is no number to compute with");
    return recordValue(recorder, { name, shape: [] }, (id) => ({ op: "number", id, value: operand }));
  }
  if (operand instanceof SavedTensor) {
    requireSameWorker(recorder, operand.worker, name, "tensor");
    return recordValue(recorder, { name, shape: operand.shape }, (id) => ({ op: "held", id, tensor: operand.ref }));
  }
  if (operand instanceof Handle) {
    requireSameWorker(recorder, operand.worker, name, "tensor");
    return recordValue(recorder, { name, shape: null }, (id) => ({ op: "held", id, tensor: operand.ref }));
  }
  if (typeof operand === "function") {
    const hint = "A proxy of the bridge stands in a trace by its tensor: await bridge.tensor(proxy).";
    throw recorder.error(name, "trace_misuse", "a function or a proxy is no value of a trace", hint);
  }
  const message = `${shown(operand)} is neither a value of the trace, nor a saved tensor, nor a number`;
  throw recorder.error(name, "trace_misuse", message, "Numbers in lists come in with t.tensor(numbers).");
};
