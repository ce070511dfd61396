import type { DictionaryOrigin } from "../../places/index.ts";
import type { HandleRef } from "../../protocol/index.ts";
import { shellQuoted } from "../../shell-quoted.ts";
import type { Worker } from "../../worker/index.ts";
import { parseObject } from "./config-file.ts";
import { FORMATS, type FoundFiles, findFiles } from "./detect.ts";
import { type FormatName, notADictionary, type Provenance, type StoredShape } from "./format.ts";
import { type KeptFiles, keptIn, withoutKept } from "./kept.ts";

const DTYPES = ["float32", "float64", "bfloat16"] as const;
type Dtype = (typeof DTYPES)[number];

export interface ReadOptions {
  readonly device: string;
  /** Converts the weights; without it they keep their dtype. */
  readonly dtype?: Dtype | undefined;
  /** Reads float16, which dictlearn does not train in, as float32; without it that is an error. */
  readonly widenHalf?: boolean;
}

/** A dictionary of any format in the worker, and everything that its files say. */
export interface ReadDictionary {
  readonly files: FoundFiles;
  readonly dictionary: HandleRef;
  readonly shape: StoredShape & { readonly dtype: Dtype };
  /** The dtype in the file. */
  readonly storedDtype: string;
  readonly provenance: Provenance;
  /** Where it was trained, as far as its files say; null where they do not say. */
  readonly origin: DictionaryOrigin | null;
  /** The config's text, and the files of the formats that the dictionary was converted from. */
  readonly kept: KeptFiles;
}

/**
 * Reads a dictionary from a folder or file of any format, which is detected. Checks the files first: JSON and its keys;
 * names, shapes and dtypes of the tensors. Runs no code in them.
 *
 * @throws {DictlearnError} `no_such_file`, `not_a_dictionary` or `not_representable`, in one sentence.
 */
export const readDictionary = async (
  worker: Worker,
  path: string,
  { device, widenHalf = false, ...options }: ReadOptions,
): Promise<ReadDictionary> => {
  const files = findFiles(path);
  const { format, weights, configPath, config, unfolded } = files;
  const { container } = format;
  const { tensors, metadata } = await worker.call("tensors.list", { path: weights, container });
  const { layout } = format.read({ weights, configPath, config: config?.value, tensors });
  const stored = tensors.find(({ name }) => name === layout.parameters[0]?.name)?.dtype ?? "";
  const dtype = options.dtype ?? (widenHalf && stored === "float16" ? "float32" : undefined);
  if (dtype === undefined && !DTYPES.some((known) => known === stored)) {
    throw notADictionary(
      weights,
      `its tensors are ${stored}, but dictionaries are ${DTYPES.join(", ")}`,
      `Say which of these it is to become: \`dictlearn convert ${shellQuoted(path)} FOLDER --to dictlearn --dtype float32\`, or the option dtype in a script.`,
    );
  }
  const earlier = keptIn(format, config?.value, configPath);
  const provenance = provenanceOf(files, earlier);
  const read = await worker.call("dictionary.read", {
    path: weights,
    layout,
    unfolded: unfolded ?? null,
    device,
    dtype: dtype ?? null,
  });
  const { input_width: inputWidth, output_width: outputWidth, size, input_bias: inputBias } = read;
  const own = { config: config === undefined ? null : withoutKept(format, config), metadata };
  const kept: Partial<Record<FormatName, KeptFiles[FormatName]>> = { ...earlier, [format.name]: own };
  const shape = { inputWidth, outputWidth, size, dtype: read.dtype, inputBias };
  return {
    files,
    dictionary: read.dictionary,
    shape,
    storedDtype: stored,
    provenance,
    origin: originOf(files, provenance),
    kept: kept as KeptFiles,
  };
};

/** Where a dictionary comes from, according to its files; reads only the config. */
export const readProvenance = (
  files: FoundFiles,
): { readonly provenance: Provenance; readonly origin: DictionaryOrigin | null } => {
  const provenance = provenanceOf(files, keptIn(files.format, files.config?.value, files.configPath));
  return { provenance, origin: originOf(files, provenance) };
};

/** A hook in the config itself takes precedence over what the config keeps of previous formats, and the reverse. */
const originOf = ({ format, configPath }: FoundFiles, provenance: Provenance): DictionaryOrigin | null => {
  const { model, submodule, hookName, hookNameOut, headIndex, io, layer } = provenance;
  const hook = format.name === "sae_lens" ? hookName !== undefined : submodule === undefined || submodule === hookName;
  // One head of a hook is no module's input or output, so it has no module name.
  const head = headIndex === undefined ? "" : `, head ${headIndex}`;
  const place = hook && hookName !== undefined ? `${hookName}${head}` : submodule;
  if (model === undefined && place === undefined) return null;
  return {
    model,
    submodule: place,
    submodule_out: hook ? hookNameOut : undefined,
    // A hook's name says whether it is an input or an output.
    io: hook && io !== "in_to_out" ? undefined : io,
    layer,
    stated_in: configPath,
  };
};

/** The config's statements, completed from the files that the dictionary was converted from. */
const provenanceOf = ({ format, config, configPath }: FoundFiles, earlier: KeptFiles): Provenance => {
  const known: Record<string, unknown> = {};
  for (const before of FORMATS) {
    const text = earlier[before.name]?.config;
    const where = `${configPath} (from ${before.name})`;
    if (text) Object.assign(known, stated(before.provenance(parseObject(where, text), where)));
  }
  return { ...known, ...stated(format.provenance(config?.value ?? {}, configPath)) };
};

const stated = (provenance: Provenance): Provenance =>
  Object.fromEntries(Object.entries(provenance).filter(([, value]) => value !== undefined));
