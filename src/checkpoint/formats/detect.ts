import { existsSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { DictlearnError } from "../../errors.ts";
import { type ConfigFile, readConfigFile } from "./config-file.ts";
import { dictionaryLearning } from "./dictionary-learning.ts";
import { dictlearn } from "./dictlearn.ts";
import { type Format, notADictionary } from "./format.ts";
import { saeLens } from "./sae-lens.ts";
import { sparsify } from "./sparsify.ts";

/** Every format, in the order in which `convert --help` lists them. */
export const FORMATS: readonly Format[] = [dictlearn, dictionaryLearning, saeLens, sparsify];

/** The original biases that were folded together on writing; next to the weights. */
export const UNFOLDED = "unfolded.safetensors";

/** The files of one dictionary. */
export interface FoundFiles {
  readonly format: Format;
  readonly folder: string;
  readonly weights: string;
  readonly configPath: string;
  readonly config: ConfigFile | undefined;
  readonly unfolded: string | undefined;
}

/**
 * Detects the kind of a path: a folder, a file of weights (`ae.pt`, a checkpoint, a .safetensors file), or a config
 * file.
 *
 * @throws {DictlearnError} The path does not exist, or holds no known format or more than one dictionary.
 */
export const findFiles = (path: string): FoundFiles => {
  if (!existsSync(path)) {
    throw new DictlearnError(`There is no file or folder ${path}.`, {
      code: "no_such_file",
      hint: "Name a dictionary's folder, or its file of weights.",
    });
  }
  const weights = statSync(path).isDirectory() ? weightsIn(path) : weightsOf(path);
  const folder = dirname(weights);
  const name = configNameOf(weights);
  const configPath = join(inCheckpoints(weights) ? dirname(folder) : folder, name);
  const config = readConfigFile(configPath);
  const format = formatOf(weights, configPath, config);
  const unfolded = join(folder, UNFOLDED);
  return { format, folder, weights, configPath, config, unfolded: existsSync(unfolded) ? unfolded : undefined };
};

const weightsIn = (folder: string): string => {
  const names = [...new Set(FORMATS.map(({ weights }) => weights))];
  const found = names.filter((name) => existsSync(join(folder, name)));
  if (found.length > 1) {
    throw notADictionary(folder, `it holds ${found.length}, ${found.join(" and ")}`, "Name the file that you mean.");
  }
  if (found[0] === undefined) throw notADictionary(folder, `none of ${names.join(", ")} is in it`);
  return join(folder, found[0]);
};

const weightsOf = (path: string): string => {
  const name = basename(path);
  return FORMATS.some(({ config }) => config === name) ? weightsIn(dirname(path)) : path;
};

const configNameOf = (weights: string): string => (extname(weights) === ".safetensors" ? "cfg.json" : "config.json");

/** A checkpoint's config is one folder up, next to the `ae.pt`. */
const inCheckpoints = (weights: string): boolean =>
  basename(dirname(resolve(weights))) === "checkpoints" && extname(weights) === ".pt";

const formatOf = (weights: string, configPath: string, config: ConfigFile | undefined): Format => {
  const extension = extname(weights);
  if (extension === ".pt") return isTodays(config) ? dictionaryLearning : dictlearn;
  if (extension !== ".safetensors") {
    throw notADictionary(weights, "its name ends neither in .pt nor in .safetensors");
  }
  if (config === undefined) {
    throw notADictionary(weights, `there is no ${configPath}, which says what its tensors mean`);
  }
  const named = FORMATS.find((format) => format.weights === basename(weights));
  if (named !== undefined) return named;
  return "d_sae" in config.value ? saeLens : sparsify;
};

/** Current dictionary_learning states the class; so does dictlearn, along with keys of its own. */
const isTodays = (config: ConfigFile | undefined): boolean => {
  const { trainer, dictionary, run } = config?.value ?? {};
  const stated = typeof trainer === "object" && trainer !== null && "dict_class" in trainer;
  return stated && dictionary === undefined && run === undefined;
};
