import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { FORMATS, findFiles } from "../checkpoint/index.ts";
import { ConfigError } from "../errors.ts";
import { realPath } from "../real-path.ts";
import { type FolderConfig, readFolderConfig } from "./folder-config.ts";

/** A dictionary on disk. */
export interface DictionaryOnDisk {
  /** Its unique name: the name in the run, or the folder's. */
  readonly name: string;
  readonly weights: string;
  readonly config: FolderConfig;
  /** Where its config is, or would be. */
  readonly configPath: string;
  /** Where its evaluation is written. */
  readonly evaluation: string;
}

/** The formats' file names: `ae.pt`, `sae_weights.safetensors`, `sae.safetensors`; `config.json`, `cfg.json`. */
const WEIGHTS = [...new Set(FORMATS.map(({ weights }) => weights))];
const CONFIGS = FORMATS.map(({ config }) => config);

/** Depth of folders below a path: `runs/RUN/NAME`, or `dictionaries/MODEL/SITE/SET`, and one above it. */
const DEPTH = 4;
/** They hold weights too, of the same dictionary during training. */
const PASSED_OVER = ["checkpoints", "resume", "node_modules"];

/**
 * The dictionaries at a path, in any format: a file of weights or a checkpoint, the folder of one, or all below a
 * folder, in whatever layout a run or a download wrote, ordered by path.
 */
export const dictionariesAt = (path: string): DictionaryOnDisk[] => {
  if (!existsSync(path)) {
    throw new ConfigError(`There is no file or folder ${path}.`, {
      hint: "Name an ae.pt, the folder of a dictionary, or the output folder of a run.",
    });
  }
  if (!statSync(path).isDirectory()) {
    // A config is next to its weights.
    return [fromPath(CONFIGS.includes(basename(path)) ? dirname(path) : path)];
  }
  if (holdsWeights(path)) return [fromPath(path)];
  const inside = weightsBelow(path, DEPTH);
  if (inside.length > 0) return inside.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).map(fromPath);
  throw new ConfigError(
    `The folder ${path} holds no dictionary: neither it nor a folder below it has an ${WEIGHTS[0]}, or ${WEIGHTS.slice(1).join(" or ")}.`,
    {
      hint: hintOn(path),
    },
  );
};

const hintOn = (folder: string): string => {
  if (existsSync(join(folder, "checkpoints"))) {
    return "An interrupted run has its weights in checkpoints/: name one of them.";
  }
  return "Name an ae.pt, the folder of a dictionary, or the output folder of a run.";
};

const holdsWeights = (folder: string): boolean => WEIGHTS.some((name) => existsSync(join(folder, name)));

const weightsBelow = (folder: string, depth: number): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && !PASSED_OVER.includes(entry.name))
    .flatMap(({ name }) => {
      const inside = join(folder, name);
      if (holdsWeights(inside)) return [inside];
      return depth > 1 ? weightsBelow(inside, depth - 1) : [];
    });

/** The dictionaries at several paths, each once, under unique names. */
export const dictionariesIn = (paths: readonly string[]): DictionaryOnDisk[] => {
  const found = new Map<string, DictionaryOnDisk>();
  for (const each of paths.flatMap(dictionariesAt)) {
    const place = realPath(each.weights);
    if (!found.has(place)) found.set(place, each);
  }
  return distinctNames([...found.values()]);
};

/**
 * Dictionaries of several runs may share a name; then folder names tell them apart, or if these are equal too, paths.
 */
export const distinctNames = (dictionaries: readonly DictionaryOnDisk[]): DictionaryOnDisk[] => {
  const names = dictionaries.map(({ name }) => name);
  const folders = dictionaries.map(({ weights }) => basename(dirname(resolve(weights))));
  const once = (values: readonly string[], value: string) => values.filter((each) => each === value).length === 1;
  return dictionaries.map((each, index) => {
    const folder = folders[index] ?? "";
    if (once(names, each.name)) return each;
    return { ...each, name: once(folders, folder) && !names.includes(folder) ? folder : each.weights };
  });
};

/** The dictionary of a file of weights, or the one in a folder. */
const fromPath = (path: string): DictionaryOnDisk => {
  const files = findFiles(path);
  const { weights } = files;
  const here = dirname(weights);
  // A checkpoint is one folder below its dictionary's config.
  const folder = basename(here) === "checkpoints" ? dirname(here) : here;
  const stem = basename(weights).replace(/\.[^.]*$/, "");
  const config = readFolderConfig(files);
  const own = config.name ?? basename(resolve(folder));
  const usual = WEIGHTS.includes(basename(weights));
  return {
    name: usual ? own : `${own}/${stem}`,
    weights,
    config,
    configPath: files.configPath,
    evaluation: join(here, usual ? "evaluation.json" : `${stem}.evaluation.json`),
  };
};
