import { ConfigError } from "../errors.ts";
import { checkArguments, checkOptions, isPlain, kinds, optionsOf, shown } from "../options/index.ts";
import type { Params } from "../protocol/index.ts";

/** Rows of numbers in a script's form: nested arrays, or a flat typed array with its shape. */
export type MatrixInput = readonly (readonly number[])[] | Matrix;

/** A row-major matrix of float32 or float64 numbers received from, or sent to, the worker. */
export interface Matrix {
  readonly data: Float32Array | Float64Array;
  /** [rows, columns]. */
  readonly shape: readonly [number, number];
}

type TensorFrame = Params<"dictionary.encode">["rows"];

/** A matrix as a raw frame, and the reference to it in the envelope. */
export const toFrame = (
  input: MatrixInput,
  { caller, what, width }: { readonly caller: string; readonly what: string; readonly width: number },
): { ref: TensorFrame; frame: Uint8Array } => {
  const { data, shape } = isMatrix(input) ? checked(input, caller, what) : fromRows(input, caller, what);
  if (shape[0] * shape[1] === 0) throw new ConfigError("A matrix must have at least one row and one column.");
  if (data.length !== shape[0] * shape[1]) {
    throw new ConfigError(
      `A matrix of ${shape[0]} × ${shape[1]} needs ${shape[0] * shape[1]} numbers, but has ${data.length}.`,
    );
  }
  if (shape[1] !== width) {
    throw new ConfigError(`${caller}: ${what} are ${shape[1]} numbers wide, but must be ${width} wide.`);
  }
  if (!data.every(Number.isFinite)) {
    const at = data.findIndex((each) => !Number.isFinite(each));
    const place = `row ${Math.floor(at / width)}, column ${at % width}`;
    throw new ConfigError(`${caller}: ${what} hold ${data[at]} in ${place}, but every number must be finite.`);
  }
  const dtype = data instanceof Float64Array ? "float64" : "float32";
  const frame = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { ref: { frame: 0, shape: [...shape], dtype }, frame };
};

/** A raw frame of the worker as a matrix; the bytes are copied, so that they are aligned and owned. */
export const fromFrame = (ref: TensorFrame, frames: readonly Uint8Array[]): Matrix => {
  const frame = frames[ref.frame];
  const [rows, columns] = ref.shape;
  if (frame === undefined || rows === undefined || columns === undefined) throw new Error("The worker sent no matrix.");
  const bytes = frame.slice().buffer;
  return { data: ref.dtype === "float64" ? new Float64Array(bytes) : new Float32Array(bytes), shape: [rows, columns] };
};

const isMatrix = (input: MatrixInput): input is Matrix => isPlain(input) && "data" in input;

/** Throws a `ConfigError` for an invalid matrix. */
const checked = (matrix: Matrix, caller: string, what: string): Matrix => {
  checkOptions(MATRIX, matrix, `${caller}'s ${what}`);
  return matrix;
};

const fromRows = (rows: readonly (readonly number[])[], caller: string, what: string): Matrix => {
  checkArguments(caller, { [what]: [rows, kinds.listOf("lists of numbers", Array.isArray)] });
  const columns = rows[0]?.length ?? 0;
  if (rows.some((row) => row.length !== columns)) {
    throw new ConfigError("The rows of a matrix must all have the same length.");
  }
  const flat = rows.flat();
  const at = flat.findIndex((each: unknown) => typeof each !== "number");
  if (at >= 0) {
    const place = `row ${Math.floor(at / columns)}, column ${at % columns}`;
    throw new ConfigError(`${caller}: ${what} hold ${shown(flat[at])} in ${place}, where a number must stand.`);
  }
  return { data: Float32Array.from(flat), shape: [rows.length, columns] };
};

const MATRIX = optionsOf<Matrix>(
  {
    data: kinds.that(
      "a Float32Array or a Float64Array",
      (value) => value instanceof Float32Array || value instanceof Float64Array,
    ),
    shape: kinds.that(
      "a pair of whole numbers, [rows, columns]",
      (value) =>
        Array.isArray(value) && value.length === 2 && value.every((size) => Number.isSafeInteger(size) && size >= 0),
    ),
  },
  ["data", "shape"],
);
