import { DictlearnError } from "../../errors.ts";
import { kinds, shown } from "../../options/index.ts";
import { knownPath } from "../module-path.ts";
import { type Prompts, toPrompts } from "../prompts.ts";
import type { HostArray, Nested } from "../saved-tensor.ts";
import { requireArguments } from "./checks.ts";
import type { Recorder } from "./recorder.ts";
import { describeShape, ShapeMistake } from "./shape.ts";
import { Site, TraceModule } from "./site.ts";
import { applied, type HeldTensor, type Operand, operandOf, recordValue, Value } from "./value.ts";

/** Numbers that a trace takes from the script: nested arrays, or a flat typed array with its shape. */
export type TensorInput = Nested | { readonly data: HostArray; readonly shape: readonly number[] };

/** Operations available anywhere in a trace. */
export class TraceTools {
  readonly recorder: Recorder;

  constructor(recorder: Recorder) {
    this.recorder = recorder;
  }

  /** A tensor of the script's numbers; nested arrays become float32. */
  tensor(input: TensorInput): Value {
    const { recorder } = this;
    const { data, shape } = isHostTensor(input) ? input : recorder.check("tensor", () => fromNested(input));
    requireArguments(recorder, "tensor", { data: [data, ARRAY], shape: [shape, SHAPE] });
    if (shape.reduce((product, size) => product * size, 1) !== data.length) {
      throw recorder.error("tensor", "trace_shape", `${describeShape(shape)} does not hold ${data.length} numbers`);
    }
    const dtype = data instanceof Float32Array ? "float32" : data instanceof Float64Array ? "float64" : "int64";
    const frame = recorder.frames.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) - 1;
    return recordValue(recorder, { name: "tensor", shape }, (id) => {
      return { op: "constant", id, tensor: { frame, shape: [...shape], dtype } };
    });
  }

  /** A tensor that an earlier trace saved, or a handle of the bridge, as a value of this trace. */
  value(saved: HeldTensor): Value {
    return operandOf(this.recorder, saved, "value");
  }

  /** `a` where the condition holds, `b` elsewhere. */
  where(condition: Value, a: Operand, b: Operand): Value {
    const { recorder } = this;
    return applied(recorder, "where", [
      operandOf(recorder, condition, "where"),
      operandOf(recorder, a, "where"),
      operandOf(recorder, b, "where"),
    ]);
  }

  /** Concatenates along an existing dimension. */
  cat(values: readonly (Value | HeldTensor)[], dim = 0): Value {
    return this.#join("cat", values, dim);
  }

  /** Stacks along a new dimension. */
  stack(values: readonly (Value | HeldTensor)[], dim = 0): Value {
    return this.#join("stack", values, dim);
  }

  /** d(of)/d(by), of the shape of `by`; `of` is one number, such as a difference of two logits. */
  gradient(of: Value, by: Value): Value;
  gradient(of: Value, by: readonly Value[]): Value[];
  gradient(of: Value, by: Value | readonly Value[]): Value | Value[] {
    const { recorder } = this;
    const list = by instanceof Value ? [by] : by;
    requireArguments(recorder, "gradient", { of: [of, VALUE], by: [list, VALUES] });
    if (of.shape?.some((size) => size !== 1 && size !== null)) {
      const message = `a gradient is taken of one number, but this has shape ${describeShape(of.shape)}`;
      throw recorder.error("gradient", "trace_gradient", message, "Select one, or take the sum.");
    }
    const wholes = list.map((each) => (each instanceof Site ? each.origin.whole : each.id));
    const takes = [of.id, ...wholes];
    const ids = recorder.record({ name: "gradient", takes, makes: list.length }, (ids) => {
      return { op: "gradient", ids, of: of.id, by: wholes };
    });
    const found = list.map((each, index) => {
      const selections = each instanceof Site ? each.origin.selections : [];
      const whole = new Value(recorder, ids[index] ?? 0, selections.length === 0 ? each.shape : null);
      return selections.reduce((value: Value, { dim, index }) => value.select(dim, index), whole);
    });
    return by instanceof Value ? (found[0] as Value) : found;
  }

  #join(name: "cat" | "stack", values: readonly (Value | HeldTensor)[], dim: number): Value {
    const { recorder } = this;
    requireArguments(recorder, name, {
      values: [values, OPERANDS],
      dim: [dim, kinds.that("a whole number", Number.isSafeInteger)],
    });
    const inputs = values.map((each) => operandOf(recorder, each, name).id);
    const join = { op: "join", function: name, inputs, dim } as const;
    return recordValue(recorder, { name, takes: inputs, shape: null }, (id) => ({ ...join, id }));
  }
}

/** The prompts of one invoke on their way through the model. With a single invoke, this is the full trace. */
export class TraceInvoke extends TraceTools {
  readonly #invoke: number;

  /** `invoke` is the number of the invoke. */
  constructor(recorder: Recorder, invoke: number) {
    super(recorder);
    this.#invoke = invoke;
  }

  /**
   * A module by its path, `layers[1].mlp` or `layers.1.mlp`. An unknown path throws an error that names the nearest
   * ones.
   */
  at(path: string): TraceModule {
    const { recorder } = this;
    requireArguments(recorder, "at", { path: [path, kinds.text()] });
    const known = [...recorder.modules.keys()].filter((each) => each !== "");
    try {
      return this.#module(knownPath(path, known));
    } catch (error) {
      if (!(error instanceof DictlearnError) || error.code !== "unknown_submodule") throw error;
      throw recorder.error("at", error.code, `the model has no submodule '${path}'`, error.hint);
    }
  }

  /** The output of the model itself. */
  get output(): Site {
    return this.#module("").output;
  }

  /** The model's predictions before the softmax, (batch, position, vocabulary). */
  get logits(): Site {
    return this.output.element("logits");
  }

  #module(path: string): TraceModule {
    const module = this.recorder.modules.get(path);
    if (module === undefined) throw new Error(`The list of modules lacks ${path}.`);
    return new TraceModule(this.recorder, module, this.#invoke);
  }
}

/** A trace of several invokes: each has its own prompts, and all run through the model in one batch. */
export class TraceInvokes extends TraceTools {
  /** Adds prompts. A value of one invoke can be used in another, if the forward pass already has it. */
  invoke(prompts: Prompts): TraceInvoke {
    return new TraceInvoke(this.recorder, this.recorder.invokes.push(toPrompts(prompts)) - 1);
  }
}

const isHostTensor = (input: unknown): input is { readonly data: HostArray; readonly shape: readonly number[] } =>
  typeof input === "object" && input !== null && "data" in input;

const fromNested = (input: Nested): { data: Float32Array; shape: number[] } => {
  const shape: number[] = [];
  for (let level: unknown = input; Array.isArray(level); level = level[0]) shape.push(level.length);
  const flat: number[] = [];
  const collect = (part: unknown, depth: number): void => {
    if (depth === shape.length) {
      if (typeof part !== "number" || Number.isNaN(part)) {
        throw new ShapeMistake(`${shown(part)} stands where a number should`);
      }
      flat.push(part);
      return;
    }
    if (!Array.isArray(part) || part.length !== shape[depth]) {
      const found = Array.isArray(part) ? `a list of ${part.length}` : shown(part);
      throw new ShapeMistake(`the lists are not all of one length: ${found} stands beside a list of ${shape[depth]}`);
    }
    for (const each of part) collect(each, depth + 1);
  };
  collect(input, 0);
  return { data: Float32Array.from(flat), shape };
};

const ARRAY = kinds.that<HostArray>(
  "a Float32Array, a Float64Array or a BigInt64Array without NaN",
  (value) =>
    value instanceof BigInt64Array ||
    ((value instanceof Float32Array || value instanceof Float64Array) && !value.some(Number.isNaN)),
);
const SHAPE = kinds.listOf("whole numbers", (size) => Number.isSafeInteger(size) && (size as number) >= 0);
const VALUE = kinds.made(Value, "a value of this trace");
const VALUES = kinds.listOf("values of this trace", (each) => each instanceof Value);
const OPERANDS = kinds.that<readonly unknown[]>(
  "a list of at least one value",
  (value) => Array.isArray(value) && value.length > 0,
);
