import type { z } from "zod";

/** A union's own issue is vague; the branch that matched furthest shows what was meant. */
export const deepest = (issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue | undefined => {
  const [issue] = issues;
  if (issue?.code !== "invalid_union") return issue;
  const branches = issue.errors.map((branch) => deepest(branch)).filter((branch) => branch !== undefined);
  const inner = branches.find((branch) => branch.path.length > 0 || branch.code === "unrecognized_keys");
  if (inner !== undefined) return { ...inner, path: [...issue.path, ...inner.path] };
  return { ...issue, message: branches.map((branch) => allowed(branch)).join(" or ") };
};

/** The allowed value, as "a whole number" in "… but allowed is a whole number". */
export const allowed = (issue: z.core.$ZodIssue): string => {
  switch (issue.code) {
    case "invalid_type":
      return TYPES[issue.expected] ?? `a ${issue.expected}`;
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(", ");
    case "too_small":
      if (issue.origin === "string") return "a text that is not empty";
      if (issue.origin === "array") return `a list of at least ${issue.minimum}`;
      return `a number ${issue.inclusive ? "of at least" : "above"} ${issue.minimum}`;
    case "too_big":
      return `a number ${issue.inclusive ? "of at most" : "below"} ${issue.maximum}`;
    default:
      return issue.message;
  }
};

const TYPES: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  array: "a list",
  object: "a group of keys",
};

const LONGEST = 60;

/** A value in a message: numbers, texts and short lists themselves, the type of everything else. */
export const shown = (value: unknown): string => {
  // JSON has no NaN or infinity, which an invalid number may be.
  if (value === undefined || value === null || typeof value === "number" || typeof value === "boolean") {
    return String(value);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return value.name === "" ? "a function" : `the function ${value.name}`;
  if (typeof value === "symbol") return "a symbol";
  if (typeof value === "string") return shortened(JSON.stringify(value));
  if (Array.isArray(value)) {
    const text = `[${value.slice(0, LONGEST).map(shown).join(", ")}]`;
    return text.length <= LONGEST && value.length <= LONGEST ? text : `a list of ${value.length}`;
  }
  const kind = Object.getPrototypeOf(value)?.constructor?.name ?? "Object";
  if (kind !== "Object") return `${/^[AEIOU]/.test(kind) ? "an" : "a"} ${kind}`;
  const keys = Object.keys(value as object);
  return keys.length === 0 ? "{}" : `an object with ${shortened(keys.join(", "))}`;
};

const shortened = (text: string): string => (text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}…`);
