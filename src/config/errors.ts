import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";
import { ConfigError } from "../errors.ts";
import { allowed, deepest, shown } from "../options/index.ts";
import { shipped } from "../shipped.ts";
import { knownPaths } from "./schema.ts";

/** Other libraries' names for dictlearn's keys. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  learning_rate: "train.lr",
  l1_coefficient: "train.sparsity_penalty",
  l1_coeff: "train.sparsity_penalty",
  l1_penalty: "train.sparsity_penalty",
  entropy: "train.sparsity",
  loss: "train.reconstruction_loss",
  batch_size: "buffer.out_batch_size",
  train_batch_size_tokens: "buffer.out_batch_size",
  context_size: "buffer.ctx_len",
  context_length: "buffer.ctx_len",
  d_sae: "dictionaries.0.dictionary_size",
  dict_size: "dictionaries.0.dictionary_size",
  size: "dictionaries.0.dictionary_size",
  hook_name: "dictionaries.0.submodule",
  model_name: "model",
  dataset: "data.path",
  dataset_path: "data.path",
  output_dir: "output",
};

/** Maximum distance from a known key at which a key counts as a typo. */
const FARTHEST = 4;

/** The first error in a config, as one sentence that names the key, the value and what is allowed. */
export const configError = (
  issues: readonly z.core.$ZodIssue[],
  input: unknown,
  { source, overrides }: { readonly source: string; readonly overrides: Readonly<Record<string, string>> },
): ConfigError => {
  const issue = deepest(issues);
  if (issue === undefined) return new ConfigError(`${source} is not a valid config.`);
  if (issue.code === "unrecognized_keys") {
    const key = [...issue.path, issue.keys[0] ?? ""].map(String);
    const path = key.join(".");
    const message =
      path in overrides ? `--${path} is no key of the config.` : `${source} has a key that does not exist: ${path}.`;
    return new ConfigError(message, { hint: suggestion(key) });
  }
  const path = issue.path.map(String).join(".");
  const value = issue.path.reduce<unknown>(
    (node, part) => (node as Record<PropertyKey, unknown> | undefined)?.[part],
    input,
  );
  if (value === undefined) {
    return new ConfigError(`${source} lacks the key ${path}, which must be given: ${allowed(issue)}.`);
  }
  const typed = overrides[path];
  if (typed !== undefined) {
    return new ConfigError(`--${path} is ${typed === "" ? "empty" : typed}, but allowed is ${allowed(issue)}.`);
  }
  return new ConfigError(`${source} sets ${path} to ${shown(value)}, but allowed is ${allowed(issue)}.`);
};

/** The known key nearest to an unknown one: by another library's name, by its own name elsewhere, or by spelling. */
export const suggestion = (key: readonly string[]): string => {
  const leaf = key.at(-1) ?? "";
  const parent = key.slice(0, -1);
  const known = knownPaths();
  const elsewhere = OTHER_NAMES[leaf] ?? known.find((path) => leafOf(path) === leaf);
  if (elsewhere !== undefined) return `Did you mean ${elsewhere}?`;
  const level = parent.filter((part) => !/^\d+$/.test(part)).join(".");
  const siblings = known.filter((path) => parentOf(path) === level);
  const near = nearest(leaf, siblings.map(leafOf));
  if (near !== undefined && distance(leaf, near) <= FARTHEST) return `Did you mean ${[...parent, near].join(".")}?`;
  return `Did you mean ${nearest(key.join("."), known) ?? "train.lr"}? ${shipped("configs/schema.json")} lists every key.`;
};

const leafOf = (path: string): string => path.slice(path.lastIndexOf(".") + 1);
const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf(".")));
const nearest = (text: string, known: string[]): string | undefined =>
  known.length === 0 ? undefined : closest(text, known);
