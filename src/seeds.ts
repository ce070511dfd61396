import { createHash } from "node:crypto";
import { Handle, type Worker } from "./worker/index.ts";

/**
 * The purposes of randomness. Text: the order of documents. Buffer: the order of rows. Dictionary: first weights and
 * resampling.
 */
export type Purpose = "text" | "buffer" | "dictionary" | "bootstrap" | "report";

/**
 * The seed of one purpose: 48 bits of SHA-256 of both, so that no two purposes share a random stream. All seeds are
 * derived here, so that one seed means the same in a config and in a script.
 */
export const deriveSeed = (seed: number, purpose: Purpose): number =>
  createHash("sha256").update(`${seed}/${purpose}`).digest().readUIntBE(0, 6);

/** The random stream of one purpose, in the worker. The caller releases it. */
export const randomStream = async (worker: Worker, seed: number, purpose: "buffer" | "dictionary"): Promise<Handle> =>
  await streamOf(worker, deriveSeed(seed, purpose));

/** The one stream of dictionary_learning ddac948, as `torch.manual_seed(seed)` starts it. The caller releases it. */
export const referenceStream = async (worker: Worker, seed: number): Promise<Handle> => await streamOf(worker, seed);

const streamOf = async (worker: Worker, seed: number): Promise<Handle> => {
  const { generator } = await worker.call("generator.create", { seed });
  return new Handle(worker, generator, "random stream");
};
