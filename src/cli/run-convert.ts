import { readdirSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import prettyBytes from "pretty-bytes";
import { FORMATS, type Format, findFiles, NewFolder, readDictionary, writeDictionary } from "../checkpoint/index.ts";
import type { Dtype } from "../dictionary/index.ts";
import { ensureEnvironment, setupProgress } from "../environment/index.ts";
import { ConfigError } from "../errors.ts";
import type { HandleRef } from "../protocol/index.ts";
import { Worker } from "../worker/index.ts";
import { count, number } from "./format.ts";

export interface ConvertOptions {
  readonly source: string;
  readonly destination: string;
  readonly to: string;
  readonly dtype?: Dtype | undefined;
  readonly overwrite: boolean;
  readonly json: boolean;
  readonly python?: string | undefined;
}

/**
 * dictionary_learning's loader rescales dictionaries whose column norms differ from 1 by more (torch.allclose's
 * tolerance).
 */
const UNIT_NORM_TOLERANCE = 1e-5;

/** Reads a dictionary of any format and writes it in another one. Writes nothing unless all checks pass. */
export const convert = async (options: ConvertOptions): Promise<void> => {
  const { source, destination, dtype, overwrite, json } = options;
  const format = formatNamed(options.to);
  const files = findFiles(source);
  checkDestination(files.folder, destination, overwrite);

  const environment = await ensureEnvironment({ python: options.python, onProgress: setupProgress() });
  await using worker = await Worker.start(environment);
  const read = await readDictionary(worker, source, { device: "cpu", dtype });
  const notes = format.name === "dictionary_learning" ? await willBeScaled(worker, read.dictionary) : [];
  const written = await writeDictionary(worker, read, destination, { format, overwrite });
  if (written.folded) {
    notes.push(
      "The input bias was folded into the encoder's; unfolded.safetensors has both as they were, for the way back.",
    );
  }
  if (written.restored) notes.push(`${format.config} is the one of before, letter by letter.`);
  const left = leftBehind(files);
  if (left.length > 0) notes.push(`Not converted: ${left.join(", ")}.`);

  const { inputWidth, outputWidth, size } = read.shape;
  const result = {
    source: { path: files.weights, format: files.format.name },
    destination: { path: destination, format: format.name, weights: format.weights, config: format.config },
    input_width: inputWidth,
    output_width: outputWidth,
    size,
    dtype: read.shape.dtype,
    ...written,
    notes,
  };
  if (json) {
    console.log(JSON.stringify(result));
    return;
  }
  const widths = inputWidth === outputWidth ? `${inputWidth}` : `${inputWidth} → ${outputWidth}`;
  console.log(`${files.weights} (${files.format.name}) → ${destination} (${format.name})`);
  console.log(
    `  ${format.weights}, ${format.config}: ${count(size)} features of ${widths} coordinates, ${read.shape.dtype}, ${prettyBytes(written.bytes)}`,
  );
  for (const note of notes) console.log(`  ${note}`);
};

/** The effect of dictionary_learning's loader on columns without norm 1. */
const willBeScaled = async (worker: Worker, dictionary: HandleRef): Promise<string[]> => {
  const { min, max } = (await worker.call("dictionary.examine", { dictionary })).decoder_norms;
  if (Math.max(1 - min, max - 1) <= UNIT_NORM_TOLERANCE) return [];
  return [
    `The decoder's columns have norms of ${number(min)} to ${number(max)}: dictionary_learning's loader scales them to 1 and the features with them.`,
  ];
};

/** Aliases of the formats' names. */
const ALIASES: Readonly<Record<string, string>> = {
  seed: "dictlearn",
  ddac948: "dictlearn",
  eaisparsify: "sparsify",
};

const formatNamed = (text: string): Format => {
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const wanted = ALIASES[plain(text)] ?? plain(text);
  const found = FORMATS.find(({ name }) => plain(name) === wanted);
  if (found !== undefined) return found;
  const names = FORMATS.map(({ name }) => name);
  throw new ConfigError(`There is no format ${text}.`, {
    hint: `--to takes ${names.slice(0, -1).join(", ")} or ${names.at(-1)}.`,
  });
};

const checkDestination = (source: string, destination: string, overwrite: boolean): void => {
  if (/\.(pt|safetensors|json)$/.test(destination)) {
    throw new ConfigError(`${destination} looks like a file, but a dictionary is written as a folder.`, {
      hint: `Name a folder, such as ${destination.replace(/\.\w+$/, "")}.`,
    });
  }
  NewFolder.check(destination, { overwrite });
  if (overwrite && isSame(source, destination)) {
    throw new ConfigError(`The source and the destination are the same folder, ${destination}.`, {
      hint: "Convert into another folder, and move it when you have seen it.",
    });
  }
};

const isSame = (one: string, other: string): boolean => {
  try {
    return realpathSync(one) === realpathSync(other);
  } catch {
    return false;
  }
};

/** Other files in the source's folder: logs, checkpoints, statistics. */
const leftBehind = ({ folder, weights, configPath, unfolded }: ReturnType<typeof findFiles>): string[] => {
  const own = [weights, configPath, unfolded].map((path) => (path === undefined ? "" : basename(path)));
  if (configPath !== join(folder, basename(configPath))) return [];
  return readdirSync(folder).filter((entry) => !own.includes(entry) && !entry.startsWith("."));
};
