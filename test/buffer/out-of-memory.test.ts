import { join } from "node:path";
import { expect, it } from "vitest";
import { ActivationBuffer } from "../../src/buffer/index.ts";
import { LanguageModel } from "../../src/nnsight/index.ts";
import type { Worker } from "../../src/worker/index.ts";
import { GOLDEN, TINY } from "../cli/support.ts";
import { startFake, startWorker } from "../support.ts";

/** The first batches of a buffer, as bytes. */
const batches = async (worker: Worker, inBatchSize: number): Promise<{ bytes: string[]; inBatchSize: number }> => {
  const model = await LanguageModel.load(TINY, { worker, device: "cpu" });
  const source = { path: join(GOLDEN, "texts.jsonl") };
  const buffer = await ActivationBuffer.create(source, model, "gpt_neox.layers.1.mlp", {
    n_ctxs: 32,
    ctx_len: 32,
    in_batch_size: inBatchSize,
    out_batch_size: 64,
  });
  const bytes: string[] = [];
  for (let count = 0; count < 12; count += 1) {
    const [rows = 0] = await buffer.next(1);
    const { frames } = await worker.callWithFrames("source.next", { source: buffer.ref, site: 0, rows });
    bytes.push(Buffer.from(frames[0] ?? []).toString("base64"));
  }
  return { bytes, inBatchSize: buffer.shape.inBatchSize };
};

it("a model that runs out of memory gets half as many contexts at once, and none is lost", async () => {
  await using small = await startFake("small-memory");
  await using large = await startWorker();
  const halved = await batches(small, 16);
  expect(halved.inBatchSize).toBe(4);
  expect(halved).toEqual(await batches(large, 4));
});
