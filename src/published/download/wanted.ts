import { join } from "node:path";
import prettyBytes from "pretty-bytes";
import { DictlearnError } from "../../errors.ts";
import type { PublishedDictionary, PublishedSet } from "../published-set.ts";
import { publishedShapes } from "../registry.ts";

/** A file to download. */
export interface WantedFile {
  readonly dictionary: PublishedDictionary;
  /** Its path below a mirror's top folder and below the download's: `pythia-70m-deduped/mlp_out_layer3/0_8192/ae.pt`. */
  readonly name: string;
  /** Its target path. */
  readonly target: string;
  readonly kind: "weights" | "config";
  /** Its approximate size: for weights, the size of their float32 numbers. */
  readonly bytes: number;
}

const FLOAT32_BYTES = 4;
/** Allowance for PyTorch's overhead, and more than the size of a config. */
const OVERHEAD = 2 ** 20;

/** The file of that name below a dictionary's folder; undefined for one that does not belong to a dictionary. */
export const wantedFile = (dictionary: PublishedDictionary, file: string, to: string): WantedFile | undefined => {
  const kind = file === "config.json" ? "config" : isWeights(file) ? "weights" : undefined;
  if (kind === undefined) return undefined;
  const name = `${dictionary.folder}/${file}`;
  const bytes = kind === "weights" ? bytesOf(dictionary) : OVERHEAD / 1024;
  return { dictionary, name, target: join(to, ...name.split("/")), kind, bytes };
};

const isWeights = (file: string): boolean => file === "ae.pt" || /^checkpoints\/ae_\d+\.pt$/.test(file);

const bytesOf = (dictionary: PublishedDictionary): number =>
  Object.values(publishedShapes(dictionary)).reduce(
    (sum, shape) => sum + FLOAT32_BYTES * shape.reduce((product, size) => product * size, 1),
    0,
  );

/** @throws {DictlearnError} `wrong_size` for a size that a file of this kind cannot have. */
export const checkSize = ({ kind, bytes: expected }: WantedFile, bytes: number, where: string): void => {
  const least = kind === "weights" ? expected : 2;
  const most = kind === "weights" ? expected + OVERHEAD : OVERHEAD;
  if (bytes >= least && bytes <= most) return;
  const right = kind === "weights" ? `about ${prettyBytes(expected)}` : `at most ${prettyBytes(OVERHEAD)}`;
  throw new DictlearnError(`${where} has ${prettyBytes(bytes)}, but should have ${right}.`, { code: "wrong_size" });
};

/** @throws {DictlearnError} `not_found` when a dictionary's weights are not among the files. */
export const requireWeights = (
  set: PublishedSet,
  dictionaries: readonly PublishedDictionary[],
  { files, where }: { readonly files: readonly WantedFile[]; readonly where: string },
): void => {
  const missing = dictionaries.filter(({ folder }) => !files.some(({ name }) => name === `${folder}/ae.pt`));
  if (missing.length === 0) return;
  const names = missing.map(({ folder }) => `${folder}/ae.pt`);
  const list = names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
  throw new DictlearnError(`${where} lacks ${list} of the set ${set.name}.`, {
    code: "not_found",
    hint: "Name another place with --mirror, or choose --layers that are there.",
  });
};
