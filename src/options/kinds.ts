import { z } from "zod";

/** Any value that passes `test`; `words` are the end of "… but must be". */
export const that = <T>(words: string, test: (value: unknown) => boolean) => z.custom<T>(test, words);

export const whole = (least: number) =>
  that<number>(
    `a whole number of at least ${least}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least,
  );

/** Any number but NaN and the infinities. */
export const finite = () => that<number>("a finite number", Number.isFinite);
export const aboveZero = () =>
  that<number>("a finite number above 0", (value) => Number.isFinite(value) && (value as number) > 0);
export const atLeastZero = () =>
  that<number>("a finite number of at least 0", (value) => Number.isFinite(value) && (value as number) >= 0);

export const flag = () => that<boolean>("true or false", (value) => typeof value === "boolean");
export const text = () => that<string>("a text", (value) => typeof value === "string");
/** A non-empty text, such as a path. */
export const name = (words = "a text that is not empty") =>
  that<string>(words, (value) => typeof value === "string" && value !== "");
export const oneOf = <const T extends string | null>(...values: readonly T[]) =>
  that<T>(values.map((each) => JSON.stringify(each)).join(", "), (value) => values.includes(value as T));

export const callback = () => that<(...args: never[]) => unknown>("a function", (value) => typeof value === "function");
export const signal = () => that<AbortSignal>("an AbortSignal", (value) => value instanceof AbortSignal);
/** An object of one of this library's classes. */
export const made = <T>(kind: { readonly prototype: T }, words: string) =>
  that<T>(words, (value) => value instanceof (kind as abstract new () => T));
/** An object with a few members that are used. */
export const having = <T>(words: string, ...keys: readonly (keyof T & string)[]) =>
  that<T>(words, (value) => typeof value === "object" && value !== null && keys.every((key) => key in value));

export const listOf = (words: string, test: (value: unknown) => boolean) =>
  that<readonly unknown[]>(`a list of ${words}`, (value) => Array.isArray(value) && value.every(test));

export const dtype = () => oneOf("float32", "float64", "bfloat16");
/** The worker checks whether the machine has it. */
export const device = () =>
  that<string>(
    '"auto", "cpu", "cuda" or "cuda:N"',
    (value) => typeof value === "string" && /^(auto|cpu|cuda|cuda:\d+)$/.test(value),
  );
export const seed = () =>
  that<number>(
    "a whole number of at least 0 and at most 2^47",
    (value) => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= 2 ** 47,
  );

/** A `Worker`, by the members used: the class itself cannot be imported here. */
export const worker = () => having<Record<"call" | "info", unknown>>("a Worker, as Worker.start gives", "call", "info");
