import { z } from "zod";
import { RunInput } from "./schema.ts";

/** The kinds of values that a key of the config may hold. */
export type Kind = "text" | "number" | "boolean" | "null" | "group" | "list";

/**
 * The kinds of values that the key at a dotted path may hold; empty where there is no such key. Numbers in the path are
 * positions in lists.
 */
export const kindsOf = (key: string): ReadonlySet<Kind> => {
  let schemas: readonly z.core.$ZodType[] = branches(RunInput);
  for (const part of key.split(".")) schemas = schemas.flatMap((schema) => inside(schema, part));
  return new Set(schemas.flatMap(kindOf));
};

/** The schemas that a value may follow, without the wrappers around them. */
const branches = (schema: z.core.$ZodType): readonly z.core.$ZodType[] => {
  if (schema instanceof z.ZodOptional) return branches(schema.unwrap());
  if (schema instanceof z.ZodNullable) return [...branches(schema.unwrap()), z.null()];
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(branches);
  return [schema];
};

const inside = (schema: z.core.$ZodType, part: string): readonly z.core.$ZodType[] => {
  if (schema instanceof z.ZodArray) return /^\d+$/.test(part) ? branches(schema.element) : [];
  const next = schema instanceof z.ZodObject && Object.hasOwn(schema.shape, part) ? schema.shape[part] : undefined;
  return next === undefined ? [] : branches(next as z.core.$ZodType);
};

const kindOf = (schema: z.core.$ZodType): Kind => {
  if (schema instanceof z.ZodNumber) return "number";
  if (schema instanceof z.ZodBoolean) return "boolean";
  if (schema instanceof z.ZodNull) return "null";
  if (schema instanceof z.ZodArray) return "list";
  return schema instanceof z.ZodObject ? "group" : "text";
};
