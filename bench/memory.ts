import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { parseConfig, resolveRun } from "../src/config/index.ts";
import { LanguageModel } from "../src/nnsight/index.ts";
import { runTraining } from "../src/train/index.ts";
import { Worker } from "../src/worker/index.ts";
import type { Table } from "./table.ts";

const WIDTH = 512;
const BATCH = 8192;
const PUBLISHED_CONTEXTS = 30_000;
const CONTEXT = 128;
const STEPS = 8;
/** The share of the buffer that a run may need besides model, rows, weights, moments and one batch's features. */
const MARGIN = 0.05;
const FLOAT = 4;
const SITE = { submodule: "gpt_neox.layers.0.mlp", io: "out" } as const;
/** Rows whose losses a resampling computes; a run's default takes minutes here, and up to 50 bytes more per row. */
const RESAMPLE_ROWS = 8 * BATCH;
const TINY_MODEL = fileURLToPath(new URL("../test/fixtures/golden/tiny-neox", import.meta.url));

/**
 * The worker's peak memory in a run at the published size, or with `share` of its rows, next to the amount that it
 * should be. The run fills and tops up the buffer, steps, logs, saves, keeps an exact state, and resamples all features.
 */
export const benchMemory = async (python: string, share: number, features: number): Promise<Table> => {
  const folder = mkdtempSync(join(tmpdir(), "dictlearn-bench-"));
  const contexts = Math.round(PUBLISHED_CONTEXTS * share);
  const tokens = contexts * CONTEXT;
  try {
    const script = fileURLToPath(new URL("random_pythia.py", import.meta.url));
    await execa(python, [script, TINY_MODEL, folder, String(Math.round(1.1 * tokens) + 20 * BATCH)]);
    const program = await programAlone(python);
    const found = await peaks(python, runConfig(folder, contexts, features));
    const parts = {
      model: found.model,
      buffer: (tokens + CONTEXT) * WIDTH * FLOAT,
      training: 3 * FLOAT * (features * (2 * WIDTH + 1) + WIDTH),
      features: BATCH * features * FLOAT,
    };
    const held = Object.values(parts).reduce((sum, each) => sum + each, 0);
    const full = PUBLISHED_CONTEXTS * CONTEXT * WIDTH * FLOAT;
    const beyond = (peak: number) => megabytes(peak - program.withLibraries - held);
    const row = [
      String(features),
      ...Object.values(parts).map(megabytes),
      megabytes(found.whole - program.withLibraries),
      beyond(found.whole),
      megabytes(MARGIN * full),
    ];
    return {
      title: `Peak memory of the worker, MB: pythia-70m's shape, ${tokens} rows of ${WIDTH} float32, B = ${BATCH}; ${STEPS} steps with everything that can happen in a run. VmHWM, less that of a worker that has read a context of a model of 0.2 MB (${megabytes(program.withLibraries)}; right after its start ${megabytes(program.started)}). Beyond: the peak less the model, the buffer's rows · 512 · 4 bytes, 3 · 4 bytes for each parameter, and B · m · 4 for one batch's features; allowed are 5 % of the published buffer`,
      columns: ["m", "model", "buffer", "weights and moments", "features", "peak", "beyond", "allowed"],
      rows: [row],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** Bytes of an empty worker, and of one with the libraries that run a model loaded. */
const programAlone = async (python: string) => {
  await using worker = await Worker.start({ python });
  const started = highWater(worker.pid);
  const model = await LanguageModel.load(TINY_MODEL, { worker, device: "cpu" });
  await model.widths([SITE]);
  return { started, withLibraries: highWater(worker.pid) };
};

/** Bytes: the whole run's peak, and the model's weights. */
const peaks = async (python: string, input: object) => {
  await using worker = await Worker.start({ python });
  const run = resolveRun(parseConfig(input));
  const timeline: string[] = [];
  await runTraining(run, worker, {
    observe: ({ type }) => {
      timeline.push(`${type} ${megabytes(highWater(worker.pid))}`);
    },
  });
  if (process.env.DICTLEARN_BENCH_TIMELINE) console.error([...new Set(timeline)].join("\n"));
  const whole = highWater(worker.pid);
  const model = await LanguageModel.load(run.config.model ?? "", { worker, device: "cpu" });
  return { whole, model: model.facts.bytes };
};

const highWater = (pid: number): number => {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) * 1024;
};

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);

const runConfig = (folder: string, contexts: number, features: number) => ({
  model: join(folder, "model"),
  data: join(folder, "text.txt"),
  output: join(folder, String(features)),
  device: "cpu",
  buffer: {
    n_ctxs: contexts,
    ctx_len: CONTEXT,
    in_batch_size: 512,
    out_batch_size: BATCH,
    // Topped up after three batches.
    refresh_below: 1 - (2.5 * BATCH) / (contexts * CONTEXT),
  },
  evaluation: null,
  resume: "exact",
  resume_every: 5,
  train: {
    steps: STEPS,
    // So large that all features are dead after the first step, and are resampled after the fourth.
    lr: 1,
    sparsity_penalty: 10,
    warmup_steps: 1,
    resample_steps: 4,
    resample_last_step: true,
    resample_rows: RESAMPLE_ROWS,
    save_steps: 6,
    log_steps: 2,
  },
  dictionaries: [{ ...SITE, dictionary_size: features }],
});
