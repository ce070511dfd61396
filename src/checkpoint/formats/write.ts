import { join } from "node:path";
import type { HandleRef, TensorInfo } from "../../protocol/index.ts";
import type { Worker } from "../../worker/index.ts";
import { NewFolder } from "../new-folder.ts";
import { writeFile } from "../write-file.ts";
import { UNFOLDED } from "./detect.ts";
import type { Format, JsonObject, Provenance, StoredShape, Writing } from "./format.ts";
import { isObject, type KeptFiles, withKept } from "./kept.ts";

export interface WriteOptions {
  readonly format: Format;
  readonly overwrite?: boolean;
}

export interface WritableDictionary {
  readonly dictionary: HandleRef;
  readonly shape: StoredShape;
  readonly provenance: Provenance;
  readonly kept: KeptFiles;
}

/** The files written. */
export interface WrittenFolder {
  readonly bytes: number;
  /** The config is the one that the dictionary had in this format earlier, verbatim. */
  readonly restored: boolean;
  /** The input bias was folded into the encoder's; see `unfolded.safetensors`. */
  readonly folded: boolean;
}

/**
 * Writes a dictionary as a folder of a format, atomically.
 *
 * @throws {DictlearnError} `not_representable` before anything is written; `output_exists`; `non_finite_weights`.
 */
export const writeDictionary = async (
  worker: Worker,
  source: WritableDictionary,
  path: string,
  { format, overwrite = false }: WriteOptions,
): Promise<WrittenFolder> => {
  const { dictionary, shape, provenance } = source;
  const writing = format.write(shape, provenance);
  const { [format.name]: before, ...kept } = source.kept;
  const restored = before?.config && fits(format, before.config, { writing, shape }) ? before.config : undefined;
  const folded = shape.inputBias === "set" && writing.layout.input_bias === "zero";
  const text = restored ?? renewed(format, writing, { before: before?.config, kept });

  await using folder = await NewFolder.create(path, { overwrite });
  const { bytes } = await worker.call("dictionary.write", {
    dictionary,
    path: join(folder.path, format.weights),
    layout: writing.layout,
    metadata: before?.metadata ?? (format.container === "safetensors" ? { format: "pt" } : {}),
    unfolded: folded ? join(folder.path, UNFOLDED) : null,
  });
  await writeFile(join(folder.path, format.config), text);
  folder.commit();
  return { bytes, restored: restored !== undefined, folded };
};

/** A new config, plus the unknown keys of the previous one. */
const renewed = (
  format: Format,
  { config }: Writing,
  { before, kept }: { readonly before: string | null | undefined; readonly kept: KeptFiles },
): string => {
  const merged = before ? merge(JSON.parse(before), config) : config;
  return `${JSON.stringify(withKept(format, merged, kept), undefined, 2)}\n`;
};

const merge = (old: JsonObject, fresh: JsonObject): JsonObject => {
  const merged = { ...old };
  for (const [key, value] of Object.entries(fresh)) {
    const was = old[key];
    if (isObject(was) && isObject(value)) merged[key] = merge(was, value);
    // Null where unknown now, though the previous config may have known it.
    else if (value !== null || !(key in old)) merged[key] = value;
  }
  return merged;
};

/** Whether a previous config describes these tensors as a new one would. */
const fits = (
  format: Format,
  text: string,
  { writing, shape }: { readonly writing: Writing; readonly shape: StoredShape },
): boolean => {
  const tensors = tensorsOf(writing, shape);
  try {
    const source = { weights: format.weights, configPath: format.config, config: JSON.parse(text), tensors };
    const { layout, dtype } = format.read(source);
    return JSON.stringify(layout) === JSON.stringify(writing.layout) && (dtype ?? shape.dtype) === shape.dtype;
  } catch {
    // It describes another dictionary or is no longer a config: write a new one.
    return false;
  }
};

const tensorsOf = ({ layout }: Writing, { size, inputWidth, outputWidth, dtype }: StoredShape): TensorInfo[] => {
  const shapes = {
    input_bias: [inputWidth],
    bias: [outputWidth],
    "encoder.weight": [size, inputWidth],
    "encoder.bias": [size],
    "decoder.weight": [outputWidth, size],
  };
  return layout.parameters.map(({ name, parameter, transposed }) => {
    const shape = shapes[parameter];
    return { name, dtype, shape: transposed ? [...shape].reverse() : shape };
  });
};
