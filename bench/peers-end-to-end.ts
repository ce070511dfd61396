import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheFolder } from "../src/environment/index.ts";
import { Worker } from "../src/worker/index.ts";
import { BUFFER, MODEL, openBuffer, SETTINGS, SHAPE, SUBMODULE, timeOurs, tokensPerSecond } from "./end-to-end.ts";
import { startOthers } from "./peers.ts";
import { PythonPeer } from "./python-peer.ts";
import { spread, type Table } from "./table.ts";

/** Two refreshes of a buffer that is topped up when half of it was read. */
const STEPS = 18;
const REPETITIONS = 3;
/** What sparsify keeps of each row; its number of active features is fixed, and about what ours comes down to. */
const TOP_K = 100;

const LIBRARIES = [
  { name: "dictionary_learning", label: "dictionary_learning, its buffer and StandardTrainer" },
  { name: "sae_lens", label: "SAELens, ActivationsStore and SAETrainer, standard" },
  { name: "sparsify", label: `sparsify, Trainer, top-k (k = ${TOP_K}), Signum` },
];

/**
 * The first steps of a run from text, model and all, beside other libraries' own buffers and trainers. They take turns with
 * ours, each from a dictionary without training, where all features are active.
 */
export const benchPeersEndToEnd = async (python: string): Promise<Table> => {
  const folder = mkdtempSync(join(tmpdir(), "dictlearn-bench-"));
  const files = { initial: join(folder, "initial.pt"), trained: join(folder, "trained.pt") };
  try {
    await saveInputs(python, folder);
    await using worker = await Worker.start({ python });
    await using buffer = await openBuffer(worker);
    await buffer.fill();
    // The first one warms up.
    await timeOurs(worker, buffer, files, STEPS);
    const ours: number[] = [];
    const rows: string[][] = [];
    for (const { name, label } of LIBRARIES) {
      await using library = await startOthers("other_runs.py");
      const request = { ...SHAPE, ...BUFFER, ...SETTINGS, submodule: SUBMODULE, k: TOP_K };
      const inputs = { model: join(folder, "model"), texts: join(folder, "texts.json") };
      const { version } = await library.ask({ open: name, ...request, ...inputs });
      const rates: number[] = [];
      const ratios: number[] = [];
      for (let repetition = 0; repetition < REPETITIONS; repetition++) {
        const here = await timeOurs(worker, buffer, files, STEPS);
        const there = Number((await library.ask({ steps: STEPS })).steps_per_second);
        ours.push(here);
        rates.push(there);
        ratios.push(here / there);
      }
      rows.push([`${label} (${String(version)})`, spread(rates), tokensPerSecond(rates), spread(ratios, 1)]);
    }
    return {
      title: `Text to steps in a run's dense beginning: SmolLM2-135M, ${SUBMODULE}, m = ${SHAPE.features}, B = ${SHAPE.batch}, float32, 2 threads, a buffer of ${BUFFER.n_ctxs} contexts of ${BUFFER.ctx_len} (medians of ${REPETITIONS} × ${STEPS} steps, and their range). sparsify has no buffer and was given the text tokenised; it runs all layers and the head`,
      columns: ["library", "steps/s", "tokens/s", "dictlearn is faster by"],
      rows: [["dictlearn", spread(ours), tokensPerSecond(ours), ""], ...rows],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** The other environment cannot read GGUF, so it gets the model as a folder. */
const saveInputs = async (python: string, folder: string): Promise<void> => {
  await using plain = PythonPeer.start(python, "plain_run.py");
  await plain.ask({ save: folder, model: MODEL, cache: cacheFolder() });
};
