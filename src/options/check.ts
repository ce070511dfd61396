import { distance } from "fastest-levenshtein";
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { allowed, deepest, shown } from "./issues.ts";

/** One entry for each key of the options `T`, so that the compiler reports a key that only one of the two has. */
export type OptionShape<T> = { readonly [K in keyof Required<T>]: z.ZodType };

/** Keys of the options `T`: each is omitted, undefined or of its kind; `required` ones must be given. */
export const optionsOf = <T>(shape: OptionShape<T>, required: readonly (keyof T)[] = []): z.ZodObject =>
  z.strictObject(
    Object.fromEntries(
      Object.entries<z.ZodType>(shape).map(([key, kind]) => [
        key,
        required.includes(key as keyof T) ? kind : kind.optional(),
      ]),
    ),
  );

/** An error in a script's options, in one sentence, and the valid form. */
export interface Mistake {
  readonly message: string;
  readonly hint: string | undefined;
}

/**
 * The first mistake in the options of `caller`: an unknown key, with the nearest one, or a value of the wrong kind.
 * undefined: there is none. Plain JavaScript can pass anything.
 */
export const mistakeIn = (schema: z.ZodObject, options: unknown, caller: string): Mistake | undefined => {
  const keys = Object.keys(schema.shape);
  const hint = `${caller} takes ${keys.join(", ")}.`;
  if (!isPlain(options)) {
    return { message: `The options of ${caller} must be an object, but are ${shown(options)}.`, hint };
  }
  const parsed = schema.safeParse(options);
  const issues = parsed.success ? [] : parsed.error.issues;
  // A misspelt key explains why another one is missing.
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? deepest(issues);
  if (issue === undefined) return undefined;
  if (issue.code === "unrecognized_keys") {
    const [unknown = ""] = issue.keys;
    const siblings = issue.path.length === 0 ? keys : keysAt(schema, issue.path);
    const path = [...issue.path, unknown].join(".");
    const near = nearestKey(unknown, siblings);
    const guess = near === undefined ? "" : ` Did you mean ${[...issue.path, near].join(".")}?`;
    return {
      message: `Unknown option ${path} of ${caller}.${guess}`,
      hint: issue.path.length === 0 ? hint : `${issue.path.join(".")} takes ${siblings.join(", ")}.`,
    };
  }
  const value = issue.path.reduce<unknown>(
    (node, part) => (node as Record<PropertyKey, unknown> | undefined)?.[part],
    options,
  );
  const message = `${caller}: ${wrong(issue.path.join("."), { value, words: allowed(issue) })}`;
  return { message, hint: undefined };
};

/** Throws a `ConfigError` for the first mistake in the options of `caller`. */
export const checkOptions = (schema: z.ZodObject, options: unknown, caller: string): void => {
  const mistake = mistakeIn(schema, options, caller);
  if (mistake !== undefined) throw new ConfigError(mistake.message, { hint: mistake.hint });
};

/** Throws a `ConfigError` unless the arguments of `caller`, by their names, are of these kinds. */
export const checkArguments = (
  caller: string,
  args: Readonly<Record<string, readonly [value: unknown, kind: z.ZodType]>>,
): void => {
  const mistake = wrongArgument(args);
  if (mistake !== undefined) throw new ConfigError(`${caller}: ${mistake}`);
};

/** The first argument that is not of its kind, in words; undefined: there is none. */
export const wrongArgument = (
  args: Readonly<Record<string, readonly [value: unknown, kind: z.ZodType]>>,
): string | undefined => {
  for (const [what, [value, kind]] of Object.entries(args)) {
    const parsed = kind.safeParse(value);
    const issue = parsed.success ? undefined : deepest(parsed.error.issues);
    if (issue !== undefined) return wrong(what, { value, words: allowed(issue) });
  }
  return undefined;
};

const wrong = (what: string, { value, words }: { value: unknown; words: string }): string =>
  value === undefined
    ? `${what} is missing; it must be ${words}.`
    : `${what} is ${shown(value)}, but must be ${words}.`;

/** An object literal from any realm; not a list, promise or instance of a class. */
export const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
};

/** Keys of the option group at a path. */
const keysAt = (schema: z.ZodObject, path: readonly PropertyKey[]): string[] => {
  let node: z.ZodType = schema;
  for (const part of path) {
    node = bare((bare(node) as z.ZodObject).shape[String(part)] as z.ZodType);
    if (!(node instanceof z.ZodObject)) return [];
  }
  return Object.keys((node as z.ZodObject).shape);
};

const bare = (kind: z.ZodType): z.ZodType =>
  kind instanceof z.ZodOptional || kind instanceof z.ZodNullable ? bare(kind.unwrap() as z.ZodType) : kind;

/** Names of dictlearn's options in Python, torch and other libraries. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  start: ["from"],
  begin: ["from"],
  end: ["to"],
  stop: ["to"],
  until: ["to"],
  dim: ["axis"],
  keepdim: ["keep"],
  keepdims: ["keep"],
  maxtokens: ["maxNewTokens"],
  maxlength: ["maxNewTokens"],
  mintokens: ["minNewTokens"],
  temperature: ["sample.temperature"],
  topk: ["sample.topK"],
  topp: ["sample.topP"],
  dosample: ["sample"],
  devicemap: ["device"],
  torchdtype: ["dtype"],
  addspecialtokens: ["specialTokens"],
  dictsize: ["dictionary_size"],
  dsae: ["dictionary_size"],
  size: ["dictionary_size"],
  learningrate: ["lr"],
  l1coefficient: ["sparsity_penalty"],
  l1coeff: ["sparsity_penalty"],
  l1penalty: ["sparsity_penalty"],
  contextlength: ["ctx_len"],
  contextsize: ["ctx_len"],
  layer: ["submodule", "layers"],
  onlog: ["onMetrics"],
};

/** The key that an unknown one stands for: another spelling, another library's name, or a typo. */
export const nearestKey = (unknown: string, keys: readonly string[]): string | undefined => {
  const bareOf = (key: string) => key.replaceAll(/[^A-Za-z0-9]/g, "").toLowerCase();
  const lettersOf = (key: string) => Array.from(key).sort().join("");
  const wanted = bareOf(unknown);
  const same =
    keys.find((key) => bareOf(key) === wanted) ?? keys.find((key) => lettersOf(bareOf(key)) === lettersOf(wanted));
  if (same !== undefined) return same;
  const other = OTHER_NAMES[wanted]?.find((key) => keys.includes(key.split(".")[0] ?? ""));
  if (other !== undefined) return other;
  const [best] = keys
    .map((key) => ({ key, steps: distance(bareOf(key), wanted) }))
    .sort((one, another) => one.steps - another.steps);
  return best !== undefined && best.steps <= Math.min(3, Math.floor(wanted.length / 2)) ? best.key : undefined;
};
