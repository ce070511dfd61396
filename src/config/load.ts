import { existsSync, readFileSync } from "node:fs";
import { type Document, parseDocument } from "yaml";
import { ConfigError } from "../errors.ts";
import { checkArguments, isPlain, kinds } from "../options/index.ts";
import { recipePath, recipes } from "../shipped.ts";
import { errorCode, reasonOf } from "../system-errors.ts";
import { withDefaults } from "./defaults.ts";
import { configError, suggestion } from "./errors.ts";
import { kindsOf } from "./key-kinds.ts";
import { type ResolvedRun, resolveRun } from "./resolve.ts";
import { type RunConfig, RunInput } from "./schema.ts";
import { whenceOf } from "./whence.ts";

/** Values by dotted path, as they were typed: `{"train.lr": "1e-3"}`. */
export type Overrides = Readonly<Record<string, string>>;

/** Reads a YAML or JSON config, applies the overrides, checks it and fills in the defaults. Throws `ConfigError`. */
export const loadConfig = (path: string, overrides: Overrides = {}): RunConfig => {
  checkArguments("loadConfig", {
    path: [path, kinds.name("the path of a file, as a text")],
    overrides: [overrides, OVERRIDES],
  });
  return parseConfig(parseFile(path), { overrides, source: sourceOf(path) });
};
const OVERRIDES = kinds.that(
  'texts by the paths of their keys, such as { "train.lr": "1e-3" }',
  (value) => isPlain(value) && Object.values(value).every((each) => typeof each === "string"),
);

/** The same, resolved: combinations of keys are checked too, and errors name the source of each value. */
export const loadRun = (path: string, overrides: Overrides = {}): ResolvedRun => {
  const input = parseFile(path);
  const source = sourceOf(path);
  const config = parseConfig(input, { overrides, source });
  return resolveRun(config, whenceOf(input, { source, overrides }));
};

/** Checks a config that is already an object. `source` names it in errors. */
export const parseConfig = (
  value: unknown,
  { overrides = {}, source = "The config" }: { overrides?: Overrides; source?: string } = {},
): RunConfig => {
  const input = plainCopy(value, source);
  if (input === null || typeof input !== "object" || Array.isArray(input)) {
    throw new ConfigError(`${source} is not a config: it must be a group of keys.`);
  }
  for (const [key, text] of Object.entries(overrides)) override(input as Node, key, text);
  const parsed = RunInput.safeParse(input);
  if (!parsed.success) throw configError(parsed.error.issues, input, { source, overrides });
  return withDefaults(parsed.data);
};

/** A copy that overrides may change. A config holds nothing that cannot be copied. */
const plainCopy = (value: unknown, source: string): unknown => {
  try {
    return structuredClone(value);
  } catch (error) {
    throw new ConfigError(`${source} holds something that is neither text nor number, list or group of keys.`, {
      cause: error,
    });
  }
};

type Node = Record<string, unknown>;

const parseFile = (path: string): unknown => {
  let text: string;
  try {
    text = readFileSync(placeOf(path), "utf8");
  } catch (error) {
    const missing = errorCode(error) === "ENOENT";
    const message = missing
      ? `There is no config file ${path}.`
      : `The config ${path} could not be read: ${reasonOf(error)}.`;
    const hint = missing
      ? `Write one with \`dictlearn init my.yaml\`, or name one that comes with dictlearn: ${recipes().join(", ")}.`
      : undefined;
    throw new ConfigError(message, { hint, cause: error });
  }
  return parseText(text, path);
};

const STANDARD_INPUT = "/dev/stdin";

/** The config's name in messages. */
const sourceOf = (path: string): string => (path === STANDARD_INPUT ? "Standard input" : path);

/** A user's file, one that ships with dictlearn, or the open descriptor of standard input. */
const placeOf = (path: string): string | number => {
  if (path === STANDARD_INPUT) return process.stdin.fd;
  return existsSync(path) ? path : (recipePath(path) ?? path);
};

/** YAML 1.2, of which JSON is a part. A syntax error names line and column. */
const parseText = (text: string, source: string): unknown => {
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  const [problem] = document.errors;
  if (problem === undefined) return toValue(document, source);
  const place = problem.linePos?.[0];
  const where = place === undefined ? "" : ` at line ${place.line}, column ${place.col}`;
  const message = problem.message
    .split("\n", 1)[0]
    ?.replace(/ at line \d+, column \d+:?$/, "")
    // The text after a semicolon is advice for programmers.
    .replace(/;.*|\.$/, "");
  throw new ConfigError(`${source} is not valid ${source.endsWith(".json") ? "JSON" : "YAML"}${where}: ${message}.`);
};

/** Aliases are resolved only here: a missing anchor, or too many aliases, is found now. */
const toValue = (document: Document.Parsed, source: string): unknown => {
  try {
    return document.toJS();
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw new ConfigError(`${source} is not valid YAML: ${error.message.replace(/\.$/, "")}.`, { cause: error });
  }
};

/** Sets one value by its dotted path; numbers in it are positions in a list that must exist. */
const override = (root: Node, key: string, text: string): void => {
  const parts = key.split(".");
  const leaf = parts.pop() ?? "";
  let node: Node = root;
  for (const [index, part] of parts.entries()) {
    const next = node[part];
    const here = parts.slice(0, index + 1).join(".");
    if (next !== undefined && next !== null && typeof next === "object") node = next as Node;
    else if (Array.isArray(node)) throw outOfRange(here, node);
    else if ((next === undefined || next === null) && GROUPS.has(here)) node = node[part] = {} as Node;
    else if (here === "data" && typeof next === "string") node = node[part] = { path: next };
    else throw new ConfigError(`--${key} is no key of the config.`, { hint: suggestion([...parts, leaf]) });
  }
  if (Array.isArray(node) && !(Number(leaf) in node)) throw outOfRange(key, node);
  node[leaf] = parseOverride(key, text);
};

/** A text is taken literally, whatever YAML would parse it as. */
const parseOverride = (key: string, text: string): unknown => {
  const kinds = kindsOf(key);
  if (!kinds.has("text")) return parseText(text, `--${key}`);
  if (kinds.has("null") && text === "null") return null;
  if (kinds.has("number") && /^\d+$/.test(text)) return Number(text);
  return kinds.has("group") && /^\s*\{.*:.*\}\s*$/s.test(text) ? parseText(text, `--${key}`) : text;
};

/** Groups that an override may create. */
const GROUPS = new Set(["data", "buffer", "evaluation", "train"]);

const outOfRange = (path: string, list: readonly unknown[]): ConfigError =>
  new ConfigError(`--${path} names an entry that does not exist: the list has ${list.length}, counted from 0.`);
