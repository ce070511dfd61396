import { readFileSync } from "node:fs";
import { z } from "zod";
import { DictlearnError } from "../../errors.ts";
import { type JsonObject, notADictionary } from "./format.ts";

/** The text of a config file and the object in it; undefined where there is no file. */
export interface ConfigFile {
  readonly text: string;
  readonly value: JsonObject;
}

/** @throws {DictlearnError} The file cannot be read, or holds no JSON object. */
export const readConfigFile = (path: string): ConfigFile | undefined => {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new DictlearnError(`${path} could not be read: ${error instanceof Error ? error.message : String(error)}.`, {
      code: "cannot_read",
      cause: error,
    });
  }
  return { text, value: parseObject(path, text) };
};

/** @throws {DictlearnError} It is not JSON, or not an object; `path` says where it came from. */
export const parseObject = (path: string, text: string): JsonObject => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw notADictionary(path, `it is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  const object = z.record(z.string(), z.unknown()).safeParse(value);
  if (!object.success) throw notADictionary(path, "it holds no JSON object");
  return object.data;
};

/** Checks the keys that a format reads; ignores the others. @throws {DictlearnError} Naming the first invalid key. */
export const parseKeys = <T extends z.ZodType>(schema: T, value: unknown, path: string): z.output<T> => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const key = issue?.path.join(".") ?? "";
  const missing = issue?.code === "invalid_type" && issue.message.endsWith("received undefined");
  throw notADictionary(
    path,
    missing ? `it lacks the key ${key}` : `its key ${key} is not allowed (${issue?.message ?? "invalid"})`,
  );
};
