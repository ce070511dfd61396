import type { z } from "zod";
import { kinds, mistakeIn, nearestKey, optionsOf, shown, wrongArgument } from "../../options/index.ts";
import type { Recorder } from "./recorder.ts";
import { type Index, ShapeMistake } from "./shape.ts";
import type { ReduceOptions, TraceDictionary } from "./value-parts.ts";

/**
 * The arguments of a trace's method by name, each with its kind. An invalid one is a `TraceError` with the script's
 * line.
 */
export const requireArguments = (
  recorder: Recorder,
  name: string,
  args: Readonly<Record<string, readonly [value: unknown, kind: z.ZodType]>>,
): void => {
  const mistake = wrongArgument(args);
  if (mistake !== undefined) throw recorder.error(name, "trace_misuse", mistake.replace(/\.$/, ""));
};

/** The same for options. */
export const requireOptions = (recorder: Recorder, name: string, schema: z.ZodObject, options: unknown): void => {
  const mistake = mistakeIn(schema, options, name);
  if (mistake === undefined) return;
  const message = mistake.message.replace(`${name}: `, "").replace(/\.$/, "");
  throw recorder.error(name, "trace_misuse", message, mistake.hint);
};

/** Options of reductions: checked at every call, so the schema is skipped when there are none. */
export const requireReduceOptions = (recorder: Recorder, name: string, options: ReduceOptions): void => {
  if (Object.keys(options ?? {}).length > 0 || options === null || typeof options !== "object") {
    requireOptions(recorder, name, REDUCE, options);
  }
};
const REDUCE = optionsOf<ReduceOptions>({ keep: kinds.flag() });

/** Throws a `ShapeMistake` for a selection that is empty, or not what its author meant. */
export const requireIndex = (index: Index): void => {
  const given: unknown = index;
  if (Number.isSafeInteger(given)) return;
  if (Array.isArray(given) || ArrayBuffer.isView(given)) {
    const wrong = Array.from(given as ArrayLike<unknown>).find((each) => !Number.isSafeInteger(each));
    if (wrong !== undefined) throw new ShapeMistake(`${shown(wrong)} in a list of indices is no whole number`);
    return;
  }
  if (typeof given !== "object" || given === null) throw noIndex(given);
  const unknown = Object.keys(given).find((key) => key !== "from" && key !== "to");
  if (unknown !== undefined) {
    const near = nearestKey(unknown, ["from", "to"]);
    const guess = near === undefined ? "" : ` Did you mean ${near}?`;
    throw new ShapeMistake(`a range takes from and to, but not ${unknown}.${guess}`);
  }
  const { from, to } = given as { readonly from?: unknown; readonly to?: unknown };
  if (from === undefined && to === undefined) throw noIndex(given);
  for (const [key, value] of Object.entries({ from, to })) {
    if (value !== undefined && !Number.isSafeInteger(value)) {
      throw new ShapeMistake(`${key} is ${shown(value)}, but must be a whole number`);
    }
  }
  const [first, last] = [from as number | undefined, to as number | undefined];
  if (first !== undefined && last !== undefined && first < 0 === last < 0 && first >= last) {
    throw new ShapeMistake(`the range from ${first} to ${last} is empty: to is not included`);
  }
};

const noIndex = (given: unknown): ShapeMistake =>
  new ShapeMistake(`${shown(given)} is no index: give a whole number, a list of them, or a range { from, to }`);

/** Throws a `TraceError` for an invalid dictionary. */
export const requireDictionary = (recorder: Recorder, name: string, dictionary: TraceDictionary): void => {
  const given: unknown = dictionary;
  if (typeof given === "object" && given !== null && "ref" in given && "worker" in given && "shape" in given) return;
  requireArguments(recorder, name, {
    dictionary: [given, kinds.that("a dictionary, as AutoEncoder.load gives", () => false)],
  });
};

/** Throws a `ShapeMistake` for feature numbers that the dictionary does not have. */
export const requireFeatures = (features: number | readonly number[], size: number): void => {
  const list: readonly unknown[] = Array.isArray(features) ? features : [features];
  const wrong = list.find((each) => !Number.isSafeInteger(each) || (each as number) < 0 || (each as number) >= size);
  if (wrong !== undefined)
    throw new ShapeMistake(`there is no feature ${shown(wrong)}: the dictionary has ${size}, from 0 on`);
};
