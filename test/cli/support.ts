import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { path, python } from "../support.ts";

export const GOLDEN = path("test/fixtures/golden");
export const TINY = join(GOLDEN, "tiny-neox");

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), "dictlearn-test-"));

/** Runs the command line as a user types it; never throws. One thread each, because several run side by side. */
export const dictlearn = async (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  await execa(process.execPath, ["--import", "tsx", path("src/cli/main.ts"), ...args], {
    reject: false,
    stdin: "ignore",
    env: { DICTLEARN_PYTHON: await python(), HF_HUB_OFFLINE: "1", OMP_NUM_THREADS: "1", ...env },
  });

/** Writes a config next to its output and returns both paths. */
export const writeConfig = (config: object): { file: string; output: string } => {
  const folder = temporaryFolder();
  const file = join(folder, "config.json");
  const output = join(folder, "run");
  writeFileSync(file, JSON.stringify({ output, ...config }));
  return { file, output };
};

/** A short run on tiny-neox, without the evaluation at its end. */
export const tinyRun = {
  evaluation: null,
  model: TINY,
  data: join(GOLDEN, "texts.jsonl"),
  device: "cpu",
  resume: "off",
  buffer: { n_ctxs: 40, ctx_len: 32, in_batch_size: 8, out_batch_size: 64 },
  train: { steps: 40, lr: 1e-3, warmup_steps: 5, resample_steps: 16, resample_rows: 512, save_steps: 20, log_steps: 1 },
  dictionaries: [{ submodule: "gpt_neox.layers.1.mlp", dictionary_size: 64 }],
};
