import { z } from "zod";
import { version } from "../../version.ts";
import { parseKeys } from "./config-file.ts";
import type { Format, FormatName, JsonObject } from "./format.ts";

/** The key, in any format's config, that keeps the files of the formats that a dictionary was converted from. */
const KEY = "dictlearn";

const KeptFile = z.object({
  /** The config file, verbatim. */
  config: z.string().nullable(),
  /** The text in the header of a safetensors file. */
  metadata: z.record(z.string(), z.string()),
});
const Kept = z.looseObject({ converted_from: z.record(z.string(), KeptFile) });

type KeptFile = z.output<typeof KeptFile>;
/** The contents of other formats' files, by format, so that converting back restores every key and digit. */
export type KeptFiles = Readonly<Partial<Record<FormatName, KeptFile>>>;

/** The object of a config in which the format's program keeps unknown keys. */
const below = (format: Format, config: JsonObject): JsonObject => {
  let found: unknown = config;
  for (const key of format.foreignKeys) found = isObject(found) ? found[key] : undefined;
  return isObject(found) ? found : {};
};

/** Reads what `withKept` put into a config. @throws {DictlearnError} It was edited and is no longer valid. */
export const keptIn = (format: Format, config: JsonObject | undefined, path: string): KeptFiles => {
  const found = config === undefined ? undefined : below(format, config)[KEY];
  if (!isObject(found) || !("converted_from" in found)) return {};
  return parseKeys(Kept, found, path).converted_from;
};

/** The config with the files of other formats in it. */
export const withKept = (format: Format, config: JsonObject, kept: KeptFiles): JsonObject => {
  if (Object.keys(kept).length === 0) return config;
  return replace(config, format.foreignKeys, { ...below(format, config), [KEY]: { version, converted_from: kept } });
};

/** The config's text without the additions of `withKept`; verbatim where there were none. */
export const withoutKept = (format: Format, config: { text: string; value: JsonObject }): string => {
  const { [KEY]: found, ...rest } = below(format, config.value);
  if (!isObject(found) || !("converted_from" in found)) return config.text;
  return `${JSON.stringify(replace(config.value, format.foreignKeys, rest), undefined, 2)}\n`;
};

const replace = (config: JsonObject, [key, ...keys]: readonly string[], value: JsonObject): JsonObject => {
  if (key === undefined) return value;
  const inner = config[key];
  return { ...config, [key]: replace(isObject(inner) ? inner : {}, keys, value) };
};

/** A JSON object, not a list. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
