import { checkArguments, kinds } from "../options/index.ts";
import type { HandleRef, Params, Result } from "../protocol/index.ts";
import { Handle, type Worker } from "../worker/index.ts";

/** Numbers as received: float32 and half precision, float64, integers and booleans. */
export type HostArray = Float32Array | Float64Array | BigInt64Array;

/** A small tensor in this process, row-major. */
export interface HostTensor {
  readonly data: HostArray;
  readonly shape: readonly number[];
}

/** Numbers nested by dimension, a bare number without dimensions. */
export type Nested = number | readonly Nested[];

type Program = Params<"trace.run">["program"];
type Reduction = Extract<Program[number], { op: "reduce" }>["function"];

/**
 * A tensor that a trace saved. It stays in the worker until it is released, explicitly or with `await using`; later
 * traces can take it as an operand. Its numbers are transferred on request, and reductions run in the worker.
 */
export class SavedTensor implements AsyncDisposable {
  readonly worker: Worker;
  readonly shape: readonly number[];
  /** torch's name: `float32`, `bfloat16`, `int64`, … */
  readonly dtype: string;
  readonly #handle: Handle;

  constructor(worker: Worker, { tensor, shape, dtype }: Result<"trace.run">["saved"][number]) {
    this.worker = worker;
    this.shape = shape;
    this.dtype = dtype;
    this.#handle = new Handle(worker, tensor, "saved tensor");
  }

  /** Throws `StaleHandleError` after the release. */
  get ref(): HandleRef {
    return this.#handle.ref;
  }

  /** All numbers, row-major: float32 and half precision as Float32Array, integers and booleans as BigInt64Array. */
  async array(): Promise<HostArray> {
    return (await this.#fetch()).data;
  }

  /** The number of a one-element tensor. Others throw. */
  async item(): Promise<number> {
    const { data } = await this.#fetch();
    if (data.length !== 1) throw new RangeError(`item() needs a tensor of one number, but this has ${data.length}.`);
    return Number(data[0]);
  }

  /** Plain numbers, nested by dimension. */
  async list(): Promise<Nested> {
    const { data, shape } = await this.#fetch();
    return nest(Array.from(data, Number), shape);
  }

  /** Over the dimensions given, or over all of them to one number; negative ones count from the end. */
  async mean(dims?: number | readonly number[]): Promise<HostTensor> {
    return await this.#reduce("mean", dims);
  }
  async sum(dims?: number | readonly number[]): Promise<HostTensor> {
    return await this.#reduce("sum", dims);
  }
  async norm(dims?: number | readonly number[]): Promise<HostTensor> {
    return await this.#reduce("norm", dims);
  }
  async max(dims?: number | readonly number[]): Promise<HostTensor> {
    return await this.#reduce("max", dims);
  }
  async min(dims?: number | readonly number[]): Promise<HostTensor> {
    return await this.#reduce("min", dims);
  }

  /** The index of the largest entry of a dimension. */
  async argmax(dim = -1): Promise<HostTensor> {
    checkArguments("argmax", { dim: [dim, this.#dimension] });
    const [found] = await this.#compute([{ op: "along", id: 1, function: "argmax", input: 0, dim }], [1]);
    return found as HostTensor;
  }

  /** The k largest entries of a dimension, in order, with their indices. */
  async topk(k: number, dim = -1): Promise<{ values: HostTensor; indices: HostTensor }> {
    checkArguments("topk", { dim: [dim, this.#dimension] });
    const size = this.shape.at(dim) ?? 1;
    const words = `a whole number from 1 to the dimension's ${size}`;
    const fits = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= size;
    checkArguments("topk", { k: [k, kinds.that(words, fits)] });
    const topk = { op: "topk", id: 1, indices: 2, input: 0, k, dim, largest: true } as const;
    const [values, indices] = await this.#compute([topk], [1, 2]);
    return { values: values as HostTensor, indices: indices as HostTensor };
  }

  async release(): Promise<void> {
    await this.#handle.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** Its valid dimensions; torch gives a single number dimension 0 too. */
  get #dimension() {
    const count = Math.max(1, this.shape.length);
    return kinds.that<number>(
      `a dimension's number, from ${-count} to ${count - 1}`,
      (value) => Number.isSafeInteger(value) && (value as number) >= -count && (value as number) < count,
    );
  }

  async #fetch(): Promise<HostTensor> {
    return await fetchTensor(this.worker, this.ref);
  }

  async #reduce(name: Reduction, dims: number | readonly number[] | undefined): Promise<HostTensor> {
    for (const dim of [dims ?? []].flat()) checkArguments(name, { dims: [dim, this.#dimension] });
    const list = dims === undefined ? null : typeof dims === "number" ? [dims] : [...dims];
    const reduce = { op: "reduce", id: 1, function: name, input: 0, dims: list, keep: false } as const;
    const [found] = await this.#compute([reduce], [1]);
    return found as HostTensor;
  }

  /** Runs operations on this tensor, value 0, and transfers the results. */
  async #compute(operations: Program, wanted: readonly number[]): Promise<HostTensor[]> {
    const program: Program = [
      { op: "held", id: 0, tensor: this.ref },
      ...operations,
      ...wanted.map((input) => ({ op: "save", input }) as const),
    ];
    const params = { model: null, invokes: [], program, stop: false, gradients: false };
    const { saved } = await this.worker.call("trace.run", params);
    try {
      return await Promise.all(saved.map(async ({ tensor }) => await fetchTensor(this.worker, tensor)));
    } finally {
      await this.worker.call("release", { handles: saved.map(({ tensor }) => tensor) });
    }
  }
}

const fetchTensor = async (worker: Worker, tensor: HandleRef): Promise<HostTensor> => {
  const { result, frames } = await worker.callWithFrames("tensor.fetch", { tensor });
  const frame = frames[result.tensor.frame];
  if (frame === undefined) throw new Error("The worker sent no tensor.");
  return { data: toArray(frame, result.tensor.dtype), shape: result.tensor.shape };
};

/** Without a copy where the bytes are aligned, as in large messages. */
const toArray = (frame: Uint8Array, dtype: "float32" | "float64" | "int64"): HostArray => {
  const aligned = frame.byteOffset % 8 === 0 ? frame : Uint8Array.from(frame);
  const { buffer, byteOffset, byteLength } = aligned;
  if (dtype === "float32") return new Float32Array(buffer, byteOffset, byteLength / 4);
  return dtype === "float64"
    ? new Float64Array(buffer, byteOffset, byteLength / 8)
    : new BigInt64Array(buffer, byteOffset, byteLength / 8);
};

const nest = (data: readonly number[], shape: readonly number[]): Nested => {
  const [size, ...rest] = shape;
  if (size === undefined) return data[0] ?? Number.NaN;
  const step = data.length / size;
  return Array.from({ length: size }, (_, index) => nest(data.slice(index * step, (index + 1) * step), rest));
};
