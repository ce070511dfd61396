import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ActivationBuffer, CachedRows } from "../../src/buffer/index.ts";
import { parseConfig, resolveRun } from "../../src/config/index.ts";
import { LanguageModel } from "../../src/nnsight/index.ts";
import { type RunEvent, runTraining, trainSAE } from "../../src/train/index.ts";
import { Worker } from "../../src/worker/index.ts";
import { path, python } from "../support.ts";

const TINY = path("test/fixtures/golden/tiny-neox");
const TEXTS = path("test/fixtures/golden/texts.jsonl");
const folder = mkdtempSync(join(tmpdir(), "dictlearn-corrected-"));

const inPython = async (script: string, ...args: string[]): Promise<string> =>
  (await execa(await python(), ["-c", script, ...args], { env: { OMP_NUM_THREADS: "1" } })).stdout;

/** Sparse sums of directions, [60, 32, 12], and targets of another width, [60, 32, 20]. */
const MAKE_ROWS = `
import sys, torch
from safetensors.torch import save_file
generator = torch.Generator().manual_seed(0)
strength = torch.rand(60, 32, 40, generator=generator)
inputs = (strength * (strength > 0.9)) @ torch.randn(40, 12, generator=generator)
save_file({"inputs": inputs}, sys.argv[1])
targets = torch.tanh(inputs @ torch.randn(12, 20, generator=generator))
save_file({"inputs": inputs, "targets": targets}, sys.argv[2])`;

const ROWS = join(folder, "rows.safetensors");
const PAIRS = join(folder, "pairs.safetensors");
const BATCHES = 60;

let worker: Worker;
beforeAll(async () => {
  worker = await Worker.start({
    python: await python(),
    environment: { OMP_NUM_THREADS: "1", HF_HUB_OFFLINE: "1" },
  });
  await inPython(MAKE_ROWS, ROWS, PAIRS);
}, 120_000);
afterAll(async () => await worker.close());

let runs = 0;
/** A run over the cached rows, in which features die. */
const run = async (train: object = {}, over: object = {}, dictionary: object = {}) => {
  const output = join(folder, `run-${runs++}`);
  const events: RunEvent[] = [];
  const config = {
    output,
    activations: ROWS,
    device: "cpu",
    resume: "off",
    train: {
      steps: null,
      lr: 0.1,
      sparsity_penalty: 0.5,
      warmup_steps: 5,
      resample_steps: 20,
      save_steps: null,
      log_steps: 1,
      ...train,
    },
    dictionaries: [{ dictionary_size: 96, ...dictionary }],
    ...over,
  };
  const result = await runTraining(resolveRun(parseConfig(config)), worker, { observe: (event) => events.push(event) });
  const resampled = events.flatMap((event) => (event.type === "resampled" ? [event] : []));
  const metrics = events.flatMap((event) => (event.type === "metrics" ? [event.metrics] : []));
  const notices = events.flatMap((event) => (event.type === "notice" ? [event.message] : []));
  return { output, result, resampled, metrics, notices };
};

const weights = (output: string): string => readFileSync(join(output, "ae.pt")).toString("base64");

describe("the corrected procedure", () => {
  it("gives every resampled feature an encoder row of its own, where the reference gives all the same", async () => {
    const script = `
import json, sys, torch
rows = torch.load(sys.argv[1], weights_only=True)["encoder.weight"][json.loads(sys.argv[2])]
print(len(torch.unique(rows, dim=0)))`;
    // Step 19 resamples, then saves.
    const distinct = async (switches: object) => {
      const { output, resampled } = await run({ save_steps: 19, ...switches });
      const features = resampled.find(({ step }) => step === 19)?.features ?? [];
      expect(features.length).toBeGreaterThan(3);
      const checkpoint = join(output, "checkpoints", "ae_19.pt");
      return { found: Number(await inPython(script, checkpoint, JSON.stringify(features))), of: features.length };
    };
    const corrected = await distinct({});
    expect(corrected.found).toBe(corrected.of);
    expect((await distinct({ resample_encoder: "mean-alive" })).found).toBe(1);
  });

  it.each([
    ["as steps say", { steps: BATCHES }],
    ["where the rows end first", { steps: 1000 }],
    ["where only the rows end", { steps: null }],
  ])("does not resample at the last step, and says so: %s", async (_, train) => {
    const { resampled, notices, result } = await run(train);
    expect(result.steps).toBe(BATCHES);
    expect(resampled.map(({ step }) => step)).toEqual([19, 39]);
    expect(notices.join()).toContain("no resampling after step 59, because too few steps are left");
    const reference = await run({ ...train, resample_last_step: true });
    expect(reference.resampled.map(({ step }) => step)).toEqual([19, 39, 59]);
  });

  it("does not resample when the text has ended", async () => {
    const over = {
      activations: null,
      model: TINY,
      data: TEXTS,
      buffer: { n_ctxs: 20, ctx_len: 32, in_batch_size: 8, out_batch_size: 64 },
    };
    const dictionary = { submodule: "gpt_neox.layers.1.mlp" };
    const { result } = await run({ resample_steps: null }, over, dictionary);
    expect(result.reason).toBe("exhausted");
    // The last window ends with the last step of the text.
    const last = await run({ resample_steps: result.steps }, over, dictionary);
    expect(last.result.steps).toBe(result.steps);
    expect(last.resampled).toEqual([]);
    expect(last.notices.join()).toContain(`no resampling after step ${result.steps - 1}`);
  });

  it("fetches as many batches as it has steps, and the reference one more", async () => {
    const left = async (fetch_surplus_batch: boolean) => {
      await using rows = await CachedRows.open(worker, {
        path: ROWS,
        outBatchSize: 32,
        dtype: "float32",
        device: "cpu",
      });
      const settings = { steps: 7, dictionary_size: 8, device: "cpu", fetch_surplus_batch };
      await using _ = await trainSAE(rows, settings);
      return await rows.batchesLeft();
    };
    expect(await left(false)).toBe(BATCHES - 7);
    expect(await left(true)).toBe(BATCHES - 8);
  });

  it("takes the switch for the surplus batch from any dictionary", async () => {
    await expect(run({ steps: BATCHES }, {}, { fetch_surplus_batch: true })).resolves.toMatchObject({
      result: { steps: BATCHES, reason: "steps" },
    });
  });

  it("trains on every token of three strings, of which the reference trains on none", async () => {
    const text = ["This is some example data", "In real life, for training a dictionary", "you would need more"];
    await using model = await LanguageModel.load(TINY, { worker, device: "cpu" });
    const options = { n_ctxs: 8, ctx_len: 32, out_batch_size: 8 };
    await using buffer = await ActivationBuffer.create(text, model, model.at("gpt_neox.layers[1].mlp"), options);
    let seen = 0;
    const onMetrics = ({ tokens_seen }: { tokens_seen: number }) => {
      seen = tokens_seen;
    };
    await using _ = await trainSAE(buffer, { dictionary_size: 32, device: "cpu", log_steps: 1, onMetrics });
    // The tokenizer is byte-level; the end of text follows each string.
    expect(seen).toBe(text.join("").length + text.length);

    const file = join(folder, "three.txt");
    writeFileSync(file, text.join("\n"));
    const over = { activations: null, model: TINY, data: file, buffer: options };
    const dictionary = { submodule: "gpt_neox.layers.1.mlp" };
    expect((await run({}, over, dictionary)).result.tokens).toBe(seen);
    const dropped = { ...over, buffer: { ...options, remaining_rows: "drop" } };
    await expect(run({}, dropped, dictionary)).rejects.toThrow("the text ends before the buffer is full");
  });

  it("recovers when every feature is dead", async () => {
    // A rate this high pushes every feature below zero for good; the re-warmed one after the resampling is low.
    const train = { lr: 0.5, sparsity_penalty: 30, warmup_steps: 1, resample_warmup_steps: 500, resample_steps: 10 };
    const { output, resampled, metrics } = await run(train);
    expect(metrics[8]?.l0).toBe(0);
    expect(resampled[0]).toMatchObject({ step: 9, fresh: true });
    expect(resampled[0]?.features).toHaveLength(96);
    expect(metrics[9]?.l0).toBeGreaterThan(1);
    expect(metrics.every(({ mse_loss }) => Number.isFinite(mse_loss))).toBe(true);
    expect(existsSync(join(output, "ae.pt"))).toBe(true);
    // The reference would continue with NaN; under its switch the run stops instead, and writes nothing more.
    await expect(run({ ...train, resample_all_dead: "stop" })).rejects.toMatchObject({
      code: "all_dead",
      message: expect.stringContaining("Every feature is dead after step 9"),
    });
  });

  it("raises the rate anew after a resampling", async () => {
    const { metrics } = await run();
    expect(metrics.slice(18, 27).map(({ lr }) => Math.round(lr * 100))).toEqual([10, 10, 2, 4, 6, 8, 10, 10, 10]);
    const { metrics: reference } = await run({ resample_warmup_steps: 0, warmup_start: "zero" });
    expect(reference.slice(0, 7).map(({ lr }) => Math.round(lr * 100))).toEqual([0, 2, 4, 6, 8, 10, 10]);
    expect(reference.slice(18, 27).every(({ lr }) => lr === 0.1)).toBe(true);
  });
});

describe("a stretcher", () => {
  it("learns targets of another width than its inputs, and its files say so", async () => {
    const train = { lr: 0.01, sparsity_penalty: 1e-3 };
    const { output, metrics } = await run(train, { activations: PAIRS }, { io: "in_to_out" });
    expect(metrics.at(-1)?.mse_loss).toBeLessThan(0.5 * (metrics[0]?.mse_loss ?? 0));
    const config = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));
    expect(config.dictionary).toMatchObject({ output_dim: 20, input_bias: true });
    expect(config.trainer.activation_dim).toBe(12);
    const script = `
import json, sys, torch
print(json.dumps({k: list(v.shape) for k, v in torch.load(sys.argv[1], weights_only=True).items()}))`;
    expect(JSON.parse(await inPython(script, join(output, "ae.pt")))).toEqual({
      input_bias: [12],
      bias: [20],
      "encoder.weight": [96, 12],
      "encoder.bias": [96],
      "decoder.weight": [20, 96],
    });
  });
});

describe("precision", () => {
  it("is that of the key dtype, and a bfloat16 run learns as a float32 one does", async () => {
    const train = { lr: 0.01, sparsity_penalty: 1e-3, resample_steps: null };
    const finals = new Map<string, number>();
    for (const dtype of ["float64", "float32", "bfloat16"]) {
      const { output, metrics } = await run(train, { dtype });
      finals.set(dtype, metrics.at(-1)?.fraction_variance_explained ?? Number.NaN);
      const script = `import sys, torch; print(torch.load(sys.argv[1], weights_only=True)["decoder.weight"].dtype)`;
      expect(await inPython(script, join(output, "ae.pt"))).toBe(`torch.${dtype}`);
    }
    const exact = finals.get("float64") ?? 0;
    expect(exact).toBeGreaterThan(0.8);
    // float64 starts from other draws; bfloat16 from float32's, rounded.
    const single = finals.get("float32") ?? 0;
    expect(Math.abs(single - exact)).toBeLessThan(0.05);
    expect(Math.abs((finals.get("bfloat16") ?? 0) - single)).toBeLessThan(0.01);
  });

  it("autocast changes the products and keeps the weights in float32; tf32 and deterministic leave a CPU alone", async () => {
    const plain = await run();
    const mixed = await run({}, { autocast: "bfloat16" });
    expect(weights(mixed.output)).not.toBe(weights(plain.output));
    const [a, b] = [plain, mixed].map(({ metrics }) => metrics[15]?.mse_loss ?? Number.NaN);
    expect(Math.abs((a ?? 0) / (b ?? 0) - 1)).toBeLessThan(0.05);
    const cuda = await run({}, { tf32: true, deterministic: true });
    expect(weights(cuda.output)).toBe(weights(plain.output));
    expect(() =>
      resolveRun(
        parseConfig({
          activations: ROWS,
          dtype: "bfloat16",
          autocast: "bfloat16",
          dictionaries: [{ dictionary_size: 8 }],
        }),
      ),
    ).toThrow("autocast is bfloat16, which needs dtype: float32");
  });
});
