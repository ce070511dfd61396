import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it } from "vitest";
import { GOLDEN, TINY, temporaryFolder } from "./cli/support.ts";
import { path, python } from "./support.ts";

/** Runs an example as its reader does; it checks its own claims and fails if one does not hold. */
const run = async (name: string, ...args: string[]): Promise<string> => {
  const { stdout, stderr, exitCode } = await execa(
    process.execPath,
    ["--import", "tsx", path(`examples/${name}.ts`), ...args],
    { reject: false, env: { DICTLEARN_PYTHON: await python(), OMP_NUM_THREADS: "1" } },
  );
  expect(exitCode, stderr).toBe(0);
  return stdout;
};

const MLP = "gpt_neox.layers[1].mlp";

it("01-train-from-code trains, and checks what it made", async () => {
  const output = await run("01-train-from-code", TINY, MLP);
  expect(output).toMatch(/step 1: mean square error \d/);
  expect(output).toMatch(/of 512 features are active/);
});

it("02-custom-text-stream reads no more than is needed", async () => {
  expect(await run("02-custom-text-stream", TINY, MLP)).toMatch(/128 features from the \d+ files/);
});

it("03-drive-nnsight finds Paris at the tower early in SmolLM2, and at the end late", async () => {
  const output = await run("03-drive-nnsight");
  expect(output).toMatch(/logit of Paris over Rome: 2\.\d\d for the Eiffel Tower, -8\.\d\d for the Colosseum/);
  expect(output).toMatch(/^ +Tower │▒▒▒/m);
});

it("04-steer-a-feature finds the feature behind a preference, and turns it up", async () => {
  const output = await run("04-steer-a-feature", TINY, MLP);
  expect(output).toMatch(/feature \d+ has 0\.\d+ of it by gradient × activation/);
  expect(output).toMatch(/80 stronger: \d/);
});

it("05-pythonia-bridge reaches Python's objects", async () => {
  expect(await run("05-pythonia-bridge", TINY, "gpt_neox.layers.1.mlp")).toMatch(/positions of 32 numbers, norm \d/);
});

it("06-own-training-loop gives trainSAE's bytes with trainSAE's rules, resampling included", async () => {
  const output = await run("06-own-training-loop", TINY, MLP);
  expect(output).toMatch(/step 39: [1-9]\d* features resampled/);
  expect(output).toMatch(/the same \d+ bytes as trainSAE/);
});

it("07-reproduce-published says what twelve dictionaries take", async () => {
  const model = join(temporaryFolder(), "pythia");
  mkdirSync(model);
  const make = `
import sys, torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM
shape = dict(hidden_size=512, num_hidden_layers=6, num_attention_heads=8, intermediate_size=2048)
GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=264, bos_token_id=0, eos_token_id=0, **shape)).save_pretrained(sys.argv[1])`;
  await execa(await python(), ["-c", make, model]);
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) copyFileSync(join(TINY, file), join(model, file));
  const output = await run("07-reproduce-published", model, join(GOLDEN, "texts.jsonl"));
  expect(output).toMatch(/mlp_out_layer5\.1_32768: 32768 features, penalty 0\.003, 103000 steps/);
});
