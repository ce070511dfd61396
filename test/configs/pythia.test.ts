import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig, type ResolvedRun, resolveRun } from "../../src/config/index.ts";
import { examineRun, runTraining } from "../../src/train/index.ts";
import type { Worker } from "../../src/worker/index.ts";
import { GOLDEN, TINY, temporaryFolder } from "../cli/support.ts";
import { path, python, startWorker } from "../support.ts";

/** A model of pythia-70m-deduped's shape with random weights, except that the vocabulary is a tiny tokenizer's. */
const MAKE = `
import shutil, sys, torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM
torch.manual_seed(0)
shape = dict(hidden_size=512, num_hidden_layers=6, num_attention_heads=8, intermediate_size=2048)
GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=264, bos_token_id=0, eos_token_id=0, **shape)).save_pretrained(sys.argv[2])
for name in ("tokenizer.json", "tokenizer_config.json"): shutil.copy(f"{sys.argv[1]}/{name}", sys.argv[2])`;

const WIDTH = 512;
const LAYERS = 6;
const folder = temporaryFolder();
const model = join(folder, "pythia");
let worker: Worker;
beforeAll(async () => {
  await execa(await python(), ["-c", MAKE, TINY, model]);
  worker = await startWorker();
});
afterAll(async () => await worker?.close());

const load = (name: string, overrides: Record<string, string> = {}): ResolvedRun =>
  resolveRun(
    loadConfig(path(`configs/pythia-70m-deduped/${name}.yaml`), {
      model,
      "data.path": join(GOLDEN, "texts.jsonl"),
      device: "cpu",
      output: join(folder, name),
      ...overrides,
    }),
  );

const STEPS = 2;
const EVALUATION = { "evaluation.contexts": "2", "evaluation.alive_tokens": "64", "evaluation.frequency_tokens": "64" };

/** The same run with small dictionaries, two steps, and a buffer of a few contexts. */
const loadSmall = (name: string, evaluated: boolean): ResolvedRun => {
  const small = {
    "buffer.n_ctxs": "8",
    "buffer.ctx_len": "16",
    "buffer.in_batch_size": "8",
    "buffer.out_batch_size": "32",
    "train.log_steps": "1",
    "train.warmup_steps": "1",
    // Every dictionary's evaluation runs the whole model several times, so one set is enough.
    ...(evaluated ? EVALUATION : { evaluation: "null" }),
    resume: "off",
  };
  const each = load(name).dictionaries.flatMap((_, index) => [
    [`dictionaries.${index}.dictionary_size`, "64"],
    [`dictionaries.${index}.steps`, String(STEPS)],
  ]);
  return load(name, { ...small, ...Object.fromEntries(each) });
};

const sites = (...kinds: readonly string[]): string[] =>
  kinds.flatMap((kind) => Array.from({ length: LAYERS }, (_, layer) => `${kind}_out_layer${layer}`));
const sets = (names: readonly string[], set: string): string[] => names.map((name) => `${name}.${set}`);

const SETS = [
  { name: "0_8192", names: sites("mlp"), sizes: [8192], steps: 100_000, batch: 8192 },
  { name: "1_32768", names: sites("mlp"), sizes: [32_768], steps: 103_000, batch: 8192 },
  {
    name: "mlp-out-all",
    names: [...sets(sites("mlp"), "0_8192"), ...sets(sites("mlp"), "1_32768")],
    sizes: [8192, 32_768],
    steps: 103_000,
    batch: 8192,
  },
  {
    name: "10_32768",
    names: ["embed", ...sites("attn", "mlp", "resid")],
    sizes: [32_768],
    steps: 120_000,
    batch: 16_384,
  },
];

describe.each(SETS)("in configs/pythia-70m-deduped: $name", ({ name, names, sizes, steps, batch }) => {
  it("says what it would cost as it stands, whether it fits or not", async () => {
    const run = load(name);
    expect(run.dictionaries.map((each) => each.name)).toEqual(names);
    expect([...new Set(run.dictionaries.map((each) => each.dictionary_size))]).toEqual(sizes);
    const { estimate, flops } = await examineRun(run, worker);
    expect(estimate).toMatchObject({ steps, tokens: steps * batch });

    const features = run.dictionaries.reduce((sum, each) => sum + each.dictionary_size, 0);
    const weights = 4 * (features * (2 * WIDTH + 1) + names.length * WIDTH);
    const rows = new Set(run.dictionaries.map(({ submodule }) => submodule)).size * WIDTH * 4;
    expect(estimate.dictionaries).toBe(weights);
    expect(estimate.buffer).toBe(10_001 * 128 * rows);
    expect(estimate.memory).toBeGreaterThan(estimate.buffer + 4 * weights);
    expect(estimate.disk).toBeGreaterThan(2 * weights);

    // Six layers of 12 d² weights, and attention over contexts of 128 tokens; the embedding and the head take no part.
    expect(flops.model_per_token).toBe(LAYERS * (24 * WIDTH ** 2 + 4 * 128 * WIDTH));
    const left = (flops.model_tokens ?? 0) - steps * batch;
    expect(left).toBeGreaterThanOrEqual(0);
    expect(left).toBeLessThanOrEqual(run.config.buffer.n_ctxs * 128);
    const products = run.dictionaries.reduce(
      (sum, { dictionary_size, train }) => sum + (train.steps ?? 0) * dictionary_size,
      0,
    );
    // Two products for the encoder, three for the decoder, and a row's for the bias subtracted from the input.
    expect(flops.dictionaries).toBe(products * 2 * (5 * batch + 1) * WIDTH);
    expect(flops.total).toBe((flops.model ?? 0) + (flops.dictionaries ?? 0));
  });

  it("runs", async () => {
    const evaluated = name === "0_8192";
    const result = await runTraining(loadSmall(name, evaluated), worker, { observe: () => {} });
    expect(result).toMatchObject({ reason: "steps", steps: STEPS, tokens: STEPS * 32 });
    expect(result.folders).toEqual(names.map((each) => join(folder, name, each)));
    for (const each of result.folders) {
      expect(existsSync(join(each, "ae.pt"))).toBe(true);
      const losses = metrics(each).filter(({ event }) => event === undefined);
      expect(losses).toHaveLength(STEPS);
      expect(losses.every(({ mse_loss }) => Number(mse_loss) > 0)).toBe(true);
      if (!evaluated) continue;
      const evaluation = JSON.parse(readFileSync(join(each, "evaluation.json"), "utf8"));
      expect(evaluation.statistics.mean_square_error.value).toBeGreaterThan(0);
    }
  });
});

const metrics = (output: string): Record<string, unknown>[] =>
  readFileSync(join(output, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
