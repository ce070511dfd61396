// A script and a config with the same settings train the same dictionary, byte for byte: one seed means the same.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ActivationBuffer,
  CachedRows,
  evaluate,
  LanguageModel,
  parseConfig,
  type RowSource,
  resolveRun,
  runTraining,
  Trainer,
  trainSAE,
  type Worker,
} from "../../src/index.ts";
import { GOLDEN, TINY, temporaryFolder } from "../cli/support.ts";
import { rejection, startWorker } from "../support.ts";

const TEXTS = join(GOLDEN, "texts.jsonl");
const ROWS = join(GOLDEN, "train", "standard-f32.safetensors");
const MLP = "gpt_neox.layers.1.mlp";
const SEED = 5;

const buffer = { n_ctxs: 40, ctx_len: 32, in_batch_size: 8, out_batch_size: 64 };
/** A run in which features die and are resampled. */
const train = { steps: 30, lr: 1e-2, sparsity_penalty: 0.1, warmup_steps: 4, resample_steps: 12, resample_rows: 256 };
const size = { dictionary_size: 48 };

let worker: Worker;
let model: LanguageModel;
beforeAll(async () => {
  worker = await startWorker();
  model = await LanguageModel.load(TINY, { worker, device: "cpu" });
});
afterAll(async () => await worker.close());

/** The bytes of ae.pt after a run of a config; several features must have been resampled if `train` asks for it. */
const ofConfig = async (config: object): Promise<Buffer> => {
  const output = join(temporaryFolder(), "run");
  const common = { device: "cpu", resume: "off", evaluation: null, seed: SEED, output };
  let resampled = 0;
  await runTraining(resolveRun(parseConfig({ ...common, ...config })), worker, {
    observe: (event) => {
      if (event.type === "resampled") resampled += event.features.length;
    },
  });
  expect(resampled).toBeGreaterThan(0);
  return readFileSync(join(output, "ae.pt"));
};
const ofScript = async (source: RowSource & AsyncDisposable, options: object): Promise<Buffer> => {
  await using _ = source;
  await using ae = await trainSAE(source, { ...size, device: "cpu", seed: SEED, ...options });
  // PyTorch writes the file's name into the file.
  const file = join(temporaryFolder(), "ae.pt");
  await ae.save(file);
  return readFileSync(file);
};
const text = async (data: object, over: object = {}) =>
  await ActivationBuffer.create({ path: TEXTS, ...data }, model, MLP, { ...buffer, seed: SEED, ...over });
const rows = async (dtype: "float32" | "float64" = "float32") =>
  await CachedRows.open(worker, { path: ROWS, outBatchSize: 64, dtype, device: "cpu" });

describe("one seed", () => {
  const live = { model: TINY, buffer, dictionaries: [{ submodule: MLP, ...size }] };
  const all = { path: TEXTS, evaluation_every: null };
  const cached = { activations: ROWS, dictionaries: [size] };
  const scaled = { ...train, normalize_activations: true };

  it.each<readonly [string, object, () => Promise<Buffer>]>([
    ["text", { ...live, data: all, train }, async () => await ofScript(await text({}), train)],
    [
      "text in another order",
      { ...live, data: { ...all, shuffle_buffer: 16, skip: 3 }, train },
      async () => await ofScript(await text({ shuffleBuffer: 16, skip: 3 }), train),
    ],
    [
      "the part of a text that is trained on, in another order",
      { ...live, data: { path: TEXTS, evaluation_every: 10, shuffle_buffer: 16 }, train },
      async () =>
        await ofScript(await text({ shuffleBuffer: 16, part: { every: 10, take: "training" }, seed: SEED }), train),
    ],
    [
      "documents of a script",
      { ...live, data: all, train },
      async () => {
        const documents = readFileSync(TEXTS, "utf8")
          .trim()
          .split("\n")
          .map((line): string => JSON.parse(line).text);
        return await ofScript(await ActivationBuffer.create(documents, model, MLP, { ...buffer, seed: SEED }), train);
      },
    ],
    ["scaled rows of text", { ...live, data: all, train: scaled }, async () => await ofScript(await text({}), scaled)],
    [
      "text, read and drawn as the reference does",
      { ...live, data: all, train, buffer: { ...buffer, draws: "randperm-each", append: "whole-batches" } },
      async () => await ofScript(await text({}, { draws: "randperm-each", append: "whole-batches" }), train),
    ],
    ["cached rows", { ...cached, train }, async () => await ofScript(await rows(), train)],
    ["scaled cached rows", { ...cached, train: scaled }, async () => await ofScript(await rows(), scaled)],
    [
      "cached rows in float64",
      { ...cached, train, dtype: "float64" },
      async () => await ofScript(await rows("float64"), { ...train, dtype: "float64" }),
    ],
    [
      "products in bfloat16",
      { ...cached, train, autocast: "bfloat16" },
      async () => await ofScript(await rows(), { ...train, autocast: "bfloat16" }),
    ],
  ])("gives a script the dictionary of a config: %s", async (_, config, script) => {
    const [ofOne, ofOther] = [await ofConfig(config), await script()];
    expect(ofOther.equals(ofOne)).toBe(true);
  });

  it("of another number gives another one", async () => {
    const [one, other] = [await ofScript(await text({}), train), await ofScript(await text({}, { seed: 6 }), train)];
    expect(other.equals(one)).toBe(false);
  });

  it("has to be given where it decides which documents a part has", async () => {
    const data = { path: TEXTS, shuffleBuffer: 16, part: { every: 10, take: "training" } } as const;
    const message = "The text is shuffled and divided into parts, but its seed is not given.";
    const failed = await rejection(ActivationBuffer.create(data, model, MLP, buffer));
    expect(failed).toMatchObject({ name: "ConfigError", message });
    await using source = await text({});
    await using ae = await trainSAE(source, { ...size, steps: 1, device: "cpu" });
    const part = { ...data, part: { every: 10, take: "evaluation" } } as const;
    expect((await rejection(evaluate(ae, { model, submodule: MLP, data: part, buffer }))).message).toBe(message);
  });

  it.each(["compat", "random_streams"])("is not one stream for everything in a script: %s is refused", async (key) => {
    const whole = { [key]: key === "compat" ? "ddac948" : "one" };
    await using source = await rows();
    for (const [caller, attempt] of [
      ["trainSAE", trainSAE(source, { ...size, ...whole })],
      ["Trainer.create", Trainer.create(source, { ...size, ...whole })],
      ["ActivationBuffer.create", text({}, whole)],
    ] as const) {
      const error = await rejection(attempt);
      expect(error).toMatchObject({ name: "ConfigError", hint: expect.stringContaining("runTraining(") });
      expect(error.message).toContain(`${caller} has no option ${key}`);
    }
  });
});
