import { shown } from "../../options/index.ts";
import type { Dimension } from "../modules.ts";

/** The known part of a value's shape before a trace runs; null: not even the number of dimensions. */
export type Shape = readonly Dimension[] | null;

/** A dimension by its number (negative: from the end), or by the thing it counts. */
export type Axis = number | "batch" | "position" | "feature";

/** Which part of a dimension: one index, which drops the dimension; several; or a range, `to` not included. */
export type Index = number | readonly number[] | { readonly from?: number; readonly to?: number };

/** A shape mistake in words; the caller adds the line. */
export class ShapeMistake extends Error {}

export const describeShape = (shape: Shape): string =>
  shape === null ? "an unknown shape" : `[${shape.map((each) => each ?? "?").join(", ")}]`;

/** The number of an axis, in torch's numbering. */
export const axisOf = (shape: Shape, axis: Axis): number => {
  if (axis === "feature") {
    const last = shape?.at(-1);
    if (last === "batch" || last === "position") throw new ShapeMistake(`${describeShape(shape)} has no features`);
    return -1;
  }
  if (typeof axis === "number") {
    if (!Number.isInteger(axis) || (shape !== null && (axis >= shape.length || axis < -shape.length))) {
      throw new ShapeMistake(`${describeShape(shape)} has no dimension ${axis}`);
    }
    return axis;
  }
  if (axis !== "batch" && axis !== "position") {
    throw new ShapeMistake(`${shown(axis)} is no axis: give its number, "batch", "position" or "feature"`);
  }
  const found = shape?.indexOf(axis) ?? -1;
  if (found < 0) {
    throw new ShapeMistake(
      `${describeShape(shape)} has no ${axis} dimension that is known; use select(dimension, index)`,
    );
  }
  return found;
};

/** The shape of `x[:, index]` for dimension 1. */
export const pickedShape = (shape: Shape, dim: number, index: Index): Shape => {
  if (shape === null) return null;
  const at = dim < 0 ? dim + shape.length : dim;
  const size = shape[at];
  if (typeof size === "number") {
    const outside = indices(index).find((each) => each >= size || each < -size);
    if (outside !== undefined) throw new ShapeMistake(`index ${outside} is outside a dimension of ${size}`);
  }
  if (typeof index === "number") return shape.toSpliced(at, 1);
  return shape.with(at, "length" in index ? index.length : null);
};

const indices = (index: Index): readonly number[] =>
  typeof index === "number" ? [index] : "length" in index ? index : [];

/** The shape of an elementwise function of two values. */
export const broadcastShape = (a: Shape, b: Shape): Shape => {
  if (a === null || b === null) return null;
  const length = Math.max(a.length, b.length);
  return Array.from({ length }, (_, index) => {
    const [left, right] = [fromBack(a, length - index), fromBack(b, length - index)];
    if (left === 1) return right;
    if (right === 1 || left === right) return left;
    if (typeof left === "number" && typeof right === "number") {
      throw new ShapeMistake(`${describeShape(a)} and ${describeShape(b)} do not fit each other`);
    }
    return null;
  });
};

/** The dimension that many places from the end; a missing one counts as 1. */
const fromBack = (shape: readonly Dimension[], back: number): Dimension =>
  back > shape.length ? 1 : (shape.at(-back) ?? null);

/** Throws if a value of shape `value` certainly does not fit a place of shape `place`. */
export const requireFits = (value: Shape, place: Shape): void => {
  if (value === null || place === null) return;
  const mistake = () =>
    new ShapeMistake(`${describeShape(value)} cannot stand in the place of ${describeShape(place)}`);
  if (value.length > place.length) throw mistake();
  for (let back = 1; back <= value.length; back++) {
    const [own, wanted] = [value.at(-back), place.at(-back)];
    if (typeof own === "number" && own !== 1 && typeof wanted === "number" && own !== wanted) throw mistake();
  }
};

/** The shape without some dimensions (null: all), or with them as ones. */
export const reducedShape = (shape: Shape, dims: readonly number[] | null, keep: boolean): Shape => {
  if (shape === null) return dims === null && !keep ? [] : null;
  const gone = new Set((dims ?? shape.map((_, index) => index)).map((dim) => (dim < 0 ? dim + shape.length : dim)));
  return keep ? shape.map((each, index) => (gone.has(index) ? 1 : each)) : shape.filter((_, index) => !gone.has(index));
};

/** The shape of a matrix product. */
export const productShape = (a: Shape, b: Shape): Shape => {
  if (a === null || b === null || a.length < 2 || b.length !== 2) return null;
  const [inner, rows, columns] = [a.at(-1), b[0], b[1]];
  if (typeof inner === "number" && typeof rows === "number" && inner !== rows) {
    throw new ShapeMistake(`${describeShape(a)} and ${describeShape(b)} cannot be multiplied`);
  }
  return [...a.slice(0, -1), columns ?? null];
};
