import { readFileSync } from "node:fs";
import { DictlearnError } from "../../errors.ts";
import type { Worker } from "../../worker/index.ts";
import { publishedShapes } from "../registry.ts";
import type { WantedFile } from "./wanted.ts";

/**
 * Checks a downloaded file at `path`: a config must be a JSON object, weights the dictionary's four tensors with their
 * shapes. No code in the file runs.
 *
 * @throws {DictlearnError} `not_a_dictionary`, naming the error.
 */
export const checkArrival = async (file: WantedFile, path: string, worker: () => Promise<Worker>): Promise<void> => {
  if (file.kind === "config") checkConfig(file.name, path);
  else await checkWeights(file, path, await worker());
};

const wrong = (name: string, why: string, cause?: unknown): DictlearnError =>
  new DictlearnError(`${name} is not what it should be: ${why}.`, { code: "not_a_dictionary", cause });

const checkConfig = (name: string, path: string): void => {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw wrong(name, "it is no JSON", error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(name, "it is no JSON object");
};

const checkWeights = async ({ name, dictionary }: WantedFile, path: string, worker: Worker): Promise<void> => {
  const { tensors } = await worker.call("tensors.list", { path, container: "pt" }).catch((error: unknown) => {
    if (!worker.alive) throw error;
    throw wrong(name, "PyTorch cannot read it", error);
  });
  const found = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const shapes = publishedShapes(dictionary);
  const unknown = tensors.find((tensor) => !(tensor.name in shapes));
  if (unknown !== undefined) throw wrong(name, `it holds ${unknown.name}, which no dictionary of the set has`);
  for (const [tensor, shape] of Object.entries(shapes)) {
    const there = found.get(tensor);
    if (there === undefined) throw wrong(name, `it lacks ${tensor}`);
    if (there.shape.join() !== shape.join()) {
      throw wrong(name, `${tensor} is [${there.shape.join(", ")}] instead of [${shape.join(", ")}]`);
    }
    if (there.dtype !== "float32") throw wrong(name, `${tensor} is ${there.dtype} instead of float32`);
  }
};
