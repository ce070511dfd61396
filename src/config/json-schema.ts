import { z } from "zod";
import { RunInput } from "./schema.ts";

/** The config's JSON Schema, which editors read; committed as configs/schema.json. */
export const configJsonSchema = (): string => {
  const schema = z.toJSONSchema(RunInput, { io: "input" });
  return `${JSON.stringify({ ...schema, title: "dictlearn run" }, undefined, 2)}\n`;
};
