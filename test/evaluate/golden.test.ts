import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AutoEncoder, evaluate, LanguageModel, type Worker } from "../../src/index.ts";
import { GOLDEN, TINY, temporaryFolder } from "../cli/support.ts";
import { python, startWorker } from "../support.ts";

/** The golden tokens are these texts, cut to 32 tokens. */
const TEXTS = { path: join(GOLDEN, "texts.jsonl"), skip: 48 };

/** Writes a golden case's dictionary as an ae.pt. */
const SAVE = `
import sys, torch
from safetensors.torch import load_file
state = {key.removeprefix("dictionary."): value for key, value in load_file(sys.argv[1]).items() if key.startswith("dictionary.")}
torch.save(state, sys.argv[2])`;

describe("the golden statistics of the reference, with compat: ddac948", () => {
  let worker: Worker;
  let model: LanguageModel;
  beforeAll(async () => {
    worker = await startWorker();
    model = await LanguageModel.load(TINY, { worker, device: "cpu" });
  });
  afterAll(async () => await worker.close());

  it.each(["out", "in", "in_to_out"])("%s", async (name) => {
    const activations = join(GOLDEN, "evaluate", `${name}.safetensors`);
    const { expected, submodule, io } = JSON.parse(readFileSync(join(GOLDEN, "evaluate", `${name}.json`), "utf8"));
    const path = join(temporaryFolder(), "ae.pt");
    await execa(await python(), ["-c", SAVE, activations, path]);
    await using dictionary = await AutoEncoder.load(path, { worker });
    const { reference, statistics, frequencies } = await evaluate(dictionary, {
      model,
      submodule,
      io,
      data: TEXTS,
      activations,
      compat: "ddac948",
      contexts: 16,
      buffer: { ctx_len: 32 },
    });
    expect(Object.keys(reference ?? {}).sort()).toEqual(Object.keys(expected).sort());
    for (const [key, value] of Object.entries(reference ?? {})) {
      expect(Math.abs(value / expected[key] - 1), key).toBeLessThan(1e-4);
    }
    expect(statistics.mean_square_error?.value).toBeCloseTo(expected.mse_loss ** 2, 4);
    expect(frequencies.tokens).toBe(256);
    expect(frequencies.dead).toBeCloseTo(1 - expected.percent_alive, 10);
  });
});
