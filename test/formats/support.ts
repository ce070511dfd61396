import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { FORMATS, type FormatName, readDictionary, writeDictionary } from "../../src/checkpoint/index.ts";
import { AutoEncoder, type Matrix } from "../../src/dictionary/index.ts";
import type { Worker } from "../../src/worker/index.ts";
import { python } from "../support.ts";

/** A tensor of normal numbers, or of one value. */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly dtype?: "float16" | "float32" | "float64" | "int64";
  readonly value?: number;
}

const WRITE = `
import json, sys, numpy
from safetensors.numpy import save_file
request = json.load(sys.stdin); generator = numpy.random.default_rng(0)
make = lambda t: (generator.normal(size=t["shape"]) * 0.3 if "value" not in t else numpy.full(t["shape"], t["value"])).astype(t.get("dtype", "float32"))
tensors = {name: make(spec) for name, spec in request["tensors"].items()}
save_file(tensors, request["path"], metadata=request.get("metadata"))`;

/** Writes a safetensors file with Python, and creates its folder. */
export const writeSafetensors = async (
  folder: string,
  name: string,
  tensors: Readonly<Record<string, TensorSpec>>,
  metadata?: Readonly<Record<string, string>>,
): Promise<string> => {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  await execa(await python(), ["-c", WRITE], { input: JSON.stringify({ path, tensors, metadata }) });
  return path;
};

/** Runs Python with torch; the arguments are in `sys.argv`. */
export const runTorch = async (code: string, ...args: string[]): Promise<string> =>
  (await execa(await python(), ["-c", `import sys, torch\n${code}`, ...args], { env: { OMP_NUM_THREADS: "1" } }))
    .stdout;

/** The same as `dictlearn convert`, in a running worker. */
export const convert = async (worker: Worker, from: string, to: string, name: FormatName): Promise<string> => {
  const format = FORMATS.find((each) => each.name === name);
  if (format === undefined) throw new Error(`No format ${name}`);
  await writeDictionary(worker, await readDictionary(worker, from, { device: "cpu" }), to, { format });
  return to;
};

/** Features and reconstructions by our own loader. */
export const forward = async (worker: Worker, path: string, rows: Matrix | number[][]) => {
  await using dictionary = await AutoEncoder.load(path, { worker, device: "cpu" });
  return await dictionary.forward(rows);
};

/** The same, roughly normal numbers in every run. */
export const someRows = (count: number, width: number): number[][] => {
  let state = 12345;
  const next = (): number => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state / 2 ** 31;
  };
  return Array.from({ length: count }, () =>
    Array.from({ length: width }, () => Math.fround(next() + next() + next() + next() - 2)),
  );
};

/** Largest difference, relative to the largest number if that is above 1. */
export const difference = (one: ArrayLike<number>, other: ArrayLike<number>): number => {
  if (one.length !== other.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let scale = 1;
  for (let index = 0; index < one.length; index += 1) {
    const a = one[index] ?? Number.NaN;
    const gap = Math.abs(a - (other[index] ?? Number.NaN));
    if (Number.isNaN(gap)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, gap);
    scale = Math.max(scale, Math.abs(a));
  }
  return largest / scale;
};

export const bytes = (...parts: string[]): string => readFileSync(join(...parts)).toString("base64");
export const json = (...parts: string[]) => JSON.parse(readFileSync(join(...parts), "utf8"));
