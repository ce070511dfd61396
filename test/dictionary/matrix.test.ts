import { expect, it } from "vitest";
import { type MatrixInput, toFrame } from "../../src/dictionary/matrix.ts";
import { ConfigError } from "../../src/errors.ts";

const of = (width: number) => ({ caller: "encode", what: "rows", width });

it("takes rows of numbers, and a flat array with its shape", () => {
  const flat = new Float32Array([1, 2, 3, 4, 5, 6]);
  const bytes = new Uint8Array(flat.buffer);
  expect(
    toFrame(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      of(3),
    ),
  ).toEqual({ ref: { frame: 0, shape: [2, 3], dtype: "float32" }, frame: bytes });
  expect(toFrame({ data: flat, shape: [3, 2] }, of(2)).ref.shape).toEqual([3, 2]);
});

it.each<[MatrixInput, RegExp]>([
  [[], /at least one row and one column/],
  [[[]], /at least one row and one column/],
  [[[1, 2], [3]], /same length/],
  [{ data: new Float32Array(5), shape: [2, 3] }, /2 × 3 needs 6 numbers, but has 5/],
])("%j is one sentence", (input, says) => {
  expect(() => toFrame(input, of(3))).toThrow(ConfigError);
  expect(() => toFrame(input, of(3))).toThrow(says);
});
