import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadConfig, resolveRun } from "../../src/config/index.ts";
import { createReport } from "../../src/index.ts";
import { isThere } from "../../src/report/index.ts";
import { runTraining } from "../../src/train/index.ts";
import type { Worker } from "../../src/worker/index.ts";
import { TINY, temporaryFolder, tinyRun, writeConfig } from "../cli/support.ts";
import { python, startWorker } from "../support.ts";

/** A Llama, whose attention is called by keyword, and a BERT, which sees later tokens. */
const MAKE = `
import shutil, sys, torch
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM
shape = dict(vocab_size=264, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=64)
for name, model, config in (("llama", LlamaForCausalLM, LlamaConfig), ("bert", BertForMaskedLM, BertConfig)):
    torch.manual_seed(0)
    model(config(**shape)).save_pretrained(f"{sys.argv[2]}/{name}")
    for file in ("tokenizer.json", "tokenizer_config.json"): shutil.copy(f"{sys.argv[1]}/{file}", f"{sys.argv[2]}/{name}")`;

const folder = temporaryFolder();
let worker: Worker;
beforeAll(async () => {
  await execa(await python(), ["-c", MAKE, TINY, folder]);
  worker = await startWorker();
});
afterAll(async () => await worker?.close());

/** Trains and evaluates; returns the run's notices, and each dictionary's folder and names of statistics. */
const trained = async (model: string, dictionaries: readonly object[]) => {
  const train = { steps: 10, warmup_steps: 2, resample_steps: null, log_steps: 5 };
  const evaluation = { contexts: 4, alive_tokens: 256, frequency_tokens: 256 };
  const config = writeConfig({ ...tinyRun, model: join(folder, model), train, evaluation, dictionaries });
  const notices: string[] = [];
  await runTraining(resolveRun(loadConfig(config.file)), worker, {
    observe: (event) => {
      if (event.type === "notice") notices.push(event.message);
    },
  });
  const found = dictionaries.map((_, index) => join(config.output, dictionaries.length > 1 ? `d${index}` : ""));
  return { notices, folders: found.filter((each) => existsSync(join(each, "evaluation.json"))) };
};

const evaluationIn = (place: string) =>
  JSON.parse(readFileSync(join(place, "evaluation.json"), "utf8")) as {
    statistics: Record<string, { value: number | null }>;
    no_losses?: string;
  };

it("evaluates and reports places whose modules are called by keyword", async () => {
  const site = { submodule: "model.layers.1.self_attn", dictionary_size: 32 };
  const { folders } = await trained("llama", [
    { ...site, name: "d0", io: "in" },
    { ...site, name: "d1", io: "in_to_out" },
    { name: "d2", submodule: "model.layers[0].mlp#1", dictionary_size: 32 },
  ]);
  expect(folders).toHaveLength(3);
  for (const each of folders) {
    const { statistics, no_losses } = evaluationIn(each);
    expect(no_losses).toBeUndefined();
    expect(statistics.loss_recovered_zero?.value).toEqual(expect.any(Number));
  }
  const { data } = await createReport(folders, { worker, tokens: 256, lossContexts: 2, features: 4 });
  for (const { features } of data.dictionaries) expect(isThere(features) && features.predictions > 0).toBe(true);
});

it("refuses a call that a module does not have, and says how often it runs", async () => {
  const run = trained("llama", [{ submodule: "model.layers.0.mlp#2", dictionary_size: 32 }]);
  await expect(run).rejects.toMatchObject({
    code: "repeated_module",
    message: expect.stringContaining("There is no model.layers.0.mlp#2: one pass runs model.layers.0.mlp 1 times."),
  });
});

it("leaves the losses of a model that sees later tokens out, and says so", async () => {
  const { notices, folders } = await trained("bert", [
    { submodule: "bert.encoder.layer.1.output", dictionary_size: 32 },
  ]);
  const reason = "BertLMHeadModel sees later tokens, so what it says of the next one is no prediction.";
  expect(notices).toContain(`The loss statistics are left out: ${reason}`);
  expect(folders).toHaveLength(1);
  const { statistics, no_losses } = evaluationIn(folders[0] ?? "");
  expect(no_losses).toBe(reason);
  expect(Object.keys(statistics)).not.toContain("loss_original");
  expect(statistics.fraction_variance_explained?.value).toEqual(expect.any(Number));
  const { data, html } = await createReport(folders, { worker, tokens: 256, lossContexts: 2, features: 4 });
  expect(html).toContain(reason);
  const [features] = data.dictionaries.map((each) => each.features);
  expect(features !== undefined && isThere(features) && features.features.map((each) => each.lossEffect)).toContain(
    null,
  );
});
