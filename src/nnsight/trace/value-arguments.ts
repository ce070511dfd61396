import { kinds, optionsOf } from "../../options/index.ts";
import type { TraceOperation } from "../../protocol/index.ts";
import type { Axis } from "./shape.ts";
import type { EncodeOptions } from "./value-parts.ts";

// The arguments of the methods of a trace's values, to check untyped scripts.

export type CastType = Extract<TraceOperation, { op: "cast" }>["dtype"];

export interface TopkOptions {
  /** The last one by default. */
  readonly axis?: Axis;
  /** Whether to return the largest entries or the smallest; true by default. */
  readonly largest?: boolean;
}

export const TOPK = optionsOf<TopkOptions>({
  axis: kinds.that<Axis>("the number or name of an axis", (value) => ["number", "string"].includes(typeof value)),
  largest: kinds.flag(),
});
export const WHOLE_NUMBERS = kinds.listOf("whole numbers", Number.isSafeInteger);
export const SIZES = kinds.that<readonly number[]>(
  "a list of sizes, of which one may be -1",
  (value) =>
    Array.isArray(value) &&
    value.every((size) => Number.isSafeInteger(size) && size >= -1) &&
    value.filter((size) => size === -1).length <= 1,
);
export const CAST_TYPE = kinds.oneOf<CastType>("float32", "float64", "bfloat16", "float16", "int64", "bool");
export const ENCODE = optionsOf<EncodeOptions>({ transfer: kinds.flag() });
