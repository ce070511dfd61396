import { ActivationBuffer, type AutoEncoder, type LanguageModel, type Matrix } from "../../src/index.ts";
import { base, heldOut } from "./plan.ts";

/** One dictionary's statistics on held-out rows. */
export interface Measured {
  /** Mean square error, over rows and coordinates. */
  readonly mse: number;
  readonly varianceExplained: number;
  /** Mean over rows of the sum of the features. */
  readonly l1: number;
  /** Mean number of non-zero features of a row. */
  readonly l0: number;
  /** Features that are zero on every row. */
  readonly dead: number;
}

/** Batches of rows from the end of the text, [rows, width] each. */
export const heldOutRows = async (model: LanguageModel): Promise<Matrix[]> => {
  const { buffer, data, dictionaries } = base;
  const submodule = dictionaries[0]?.submodule ?? "";
  const options = {
    ...buffer,
    out_batch_size: heldOut.rows,
    n_ctxs: (heldOut.batches * heldOut.rows) / buffer.ctx_len,
  };
  const source = { path: data.path, skip: heldOut.skip };
  await using rows = await ActivationBuffer.create(source, model, submodule, options);
  const found: Matrix[] = [];
  while (found.length < heldOut.batches) {
    const batch = await nextBatch(rows);
    if (batch.shape[0] !== heldOut.rows) throw new Error(`The held-out text has only ${found.length} batches.`);
    found.push(batch);
  }
  return found;
};

const nextBatch = async (rows: ActivationBuffer): Promise<Matrix> => {
  const [count = 0] = await rows.next(1);
  const params = { source: rows.ref, site: 0, rows: count };
  const { result, frames } = await rows.worker.callWithFrames("source.next", params);
  const [frame] = frames;
  if (frame === undefined) throw new Error("The worker sent no rows.");
  const shape = [result.inputs.shape[0] ?? 0, result.inputs.shape[1] ?? 0] as const;
  return { data: new Float32Array(frame.slice().buffer), shape };
};

/** Tokens per second for filling a small buffer, and its first rows. */
export const fillingSpeed = async (model: LanguageModel, forward: "partial" | "full") => {
  const sizes = { n_ctxs: 32, ctx_len: 128, in_batch_size: 16, out_batch_size: 512 };
  const submodule = base.dictionaries[0]?.submodule ?? "";
  await using rows = await ActivationBuffer.create(base.data, model, submodule, { ...sizes, forward });
  const started = performance.now();
  await rows.fill();
  const speed = (1000 * rows.tokens) / (performance.now() - started);
  return { speed, rows: await nextBatch(rows) };
};

/** Statistics of a dictionary over all the rows. */
export const measure = async (dictionary: AutoEncoder, batches: readonly Matrix[]): Promise<Measured> => {
  const width = dictionary.shape.inputWidth;
  const rows = batches.reduce((sum, { shape }) => sum + shape[0], 0);
  const mean = new Float64Array(width);
  for (const { data } of batches)
    data.forEach((value, index) => {
      mean[index % width] = (mean[index % width] ?? 0) + value / rows;
    });
  const fired = new Uint8Array(dictionary.shape.size);
  let [error, spread, l1, active] = [0, 0, 0, 0];
  for (const batch of batches) {
    const { reconstruction, features } = await dictionary.forward(batch);
    batch.data.forEach((value, index) => {
      error += (value - (reconstruction.data[index] ?? 0)) ** 2;
      spread += (value - (mean[index % width] ?? 0)) ** 2;
    });
    features.data.forEach((value, index) => {
      if (value === 0) return;
      l1 += value;
      active += 1;
      fired[index % fired.length] = 1;
    });
  }
  return {
    mse: error / (rows * width),
    varianceExplained: 1 - error / spread,
    l1: l1 / rows,
    l0: active / rows,
    dead: fired.reduce((sum, each) => sum + 1 - each, 0),
  };
};
