import { ConfigError } from "../errors.ts";
import type { Params } from "../protocol/index.ts";

/** Rows of numbers, as scripts write them: nested arrays, or a flat typed array with its shape. */
export type MatrixInput = readonly (readonly number[])[] | Matrix;

/** A row-major matrix of float32 or float64 numbers that came from, or goes to, the worker. */
export interface Matrix {
  readonly data: Float32Array | Float64Array;
  /** [rows, columns]. */
  readonly shape: readonly [number, number];
}

type TensorFrame = Params<"dictionary.encode">["rows"];

/** A matrix as a raw frame, and the reference to it that goes into the envelope. */
export const toFrame = (input: MatrixInput): { ref: TensorFrame; frame: Uint8Array } => {
  const { data, shape } = "data" in input ? input : fromRows(input);
  if (shape[0] * shape[1] === 0) throw new ConfigError("A matrix must have at least one row and one column.");
  if (data.length !== shape[0] * shape[1]) {
    throw new ConfigError(
      `A matrix of ${shape[0]} × ${shape[1]} needs ${shape[0] * shape[1]} numbers, but has ${data.length}.`,
    );
  }
  const dtype = data instanceof Float64Array ? "float64" : "float32";
  const frame = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { ref: { frame: 0, shape: [...shape], dtype }, frame };
};

/** A raw frame of the worker as a matrix; the bytes are copied, so that they are aligned and ours. */
export const fromFrame = (ref: TensorFrame, frames: readonly Uint8Array[]): Matrix => {
  const frame = frames[ref.frame];
  const [rows, columns] = ref.shape;
  if (frame === undefined || rows === undefined || columns === undefined) throw new Error("The worker sent no matrix.");
  const bytes = frame.slice().buffer;
  return { data: ref.dtype === "float64" ? new Float64Array(bytes) : new Float32Array(bytes), shape: [rows, columns] };
};

const fromRows = (rows: readonly (readonly number[])[]): Matrix => {
  const columns = rows[0]?.length ?? 0;
  if (rows.some((row) => row.length !== columns)) {
    throw new ConfigError("The rows of a matrix must all have the same length.");
  }
  return { data: Float32Array.from(rows.flat()), shape: [rows.length, columns] };
};
