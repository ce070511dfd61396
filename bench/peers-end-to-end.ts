import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheFolder } from "../src/environment/index.ts";
import { Worker } from "../src/worker/index.ts";
import {
  BUFFER,
  MODEL,
  newDictionary,
  openBuffer,
  SETTINGS,
  SHAPE,
  SUBMODULE,
  timeSteps,
  tokensPerSecond,
} from "./end-to-end.ts";
import { startOthers } from "./peers.ts";
import { PythonPeer } from "./python-peer.ts";
import { spread, type Table } from "./table.ts";

/** Two refreshes of a buffer that is topped up when half of it is read. */
const STEPS = 18;
const REPETITIONS = 3;
/** Steps that are not timed, after which few features are active. */
const UNTIMED = 200;
/** sparsify's fixed number of active features per row, about the number that ours reaches. */
const TOP_K = 100;

const LIBRARIES = [
  { name: "dictionary_learning", label: "dictionary_learning, its buffer and StandardTrainer", untimed: UNTIMED },
  { name: "sae_lens", label: "SAELens, ActivationsStore and SAETrainer, standard", untimed: UNTIMED },
  { name: "sparsify", label: `sparsify, Trainer, top-k (k = ${TOP_K}), Signum`, untimed: 0 },
];

/**
 * A whole run from text, next to other libraries' own buffers and trainers, which take turns with ours: at its
 * beginning, where half of the features are active on a row, and once few are.
 */
export const benchPeersEndToEnd = async (python: string): Promise<Table> => {
  const folder = mkdtempSync(join(tmpdir(), "dictlearn-bench-"));
  try {
    await saveInputs(python, folder);
    await using worker = await Worker.start({ python });
    await using buffer = await openBuffer(worker);
    await buffer.fill();
    await using sparse = await newDictionary(worker);
    const { l0 } = await timeSteps(buffer, sparse, UNTIMED);
    const ours: Phases = { dense: [], sparse: [] };
    const rows: string[][] = [];
    for (const { name, label, untimed } of LIBRARIES) {
      await using library = await startOthers("other_runs.py");
      const request = { ...SHAPE, ...BUFFER, ...SETTINGS, submodule: SUBMODULE, k: TOP_K };
      const inputs = { model: join(folder, "model"), texts: join(folder, "texts.json") };
      const { version } = await library.ask({ open: name, ...request, ...inputs });
      const takeThere = async (steps: number): Promise<number> =>
        Number((await library.ask({ steps })).steps_per_second);
      const theirs: Phases = { dense: [], sparse: [] };
      const ratios: Phases = { dense: [], sparse: [] };
      for (const phase of ["dense", "sparse"] as const) {
        if (phase === "sparse" && untimed > 0) await takeThere(untimed);
        for (let repetition = 0; repetition < REPETITIONS; repetition++) {
          await using fresh = phase === "dense" ? await newDictionary(worker) : undefined;
          const { rate: here } = await timeSteps(buffer, fresh ?? sparse, STEPS);
          const there = await takeThere(STEPS);
          ours[phase].push(here);
          theirs[phase].push(there);
          ratios[phase].push(here / there);
        }
      }
      rows.push(row(`${label} (${String(version)})`, theirs, ratios));
    }
    return {
      title: `Text to steps: SmolLM2-135M, ${SUBMODULE}, m = ${SHAPE.features}, B = ${SHAPE.batch}, float32, 2 threads, a buffer of ${BUFFER.n_ctxs} contexts of ${BUFFER.ctx_len} (medians of ${REPETITIONS} × ${STEPS} steps, and their range). Dense: the first steps. Sparse: after ${UNTIMED} steps, where dictlearn's L0 is ${l0.toFixed(0)} and less. sparsify has no buffer and was given the text tokenised; it runs all layers and the head`,
      columns: ["library", "dense, steps/s", "sparse, steps/s", "sparse, tokens/s", "dictlearn is faster by"],
      rows: [row("dictlearn", ours), ...rows],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
};

interface Phases {
  readonly dense: number[];
  readonly sparse: number[];
}

const row = (label: string, { dense, sparse }: Phases, ratios?: Phases): string[] => [
  label,
  spread(dense),
  spread(sparse),
  tokensPerSecond(sparse),
  ratios === undefined ? "" : `${spread(ratios.dense, 1)} dense, ${spread(ratios.sparse, 1)} sparse`,
];

/** The other environment cannot read GGUF, so it gets the model as a folder. */
const saveInputs = async (python: string, folder: string): Promise<void> => {
  await using plain = PythonPeer.start(python, "plain_run.py");
  await plain.ask({ save: folder, model: MODEL, cache: cacheFolder() });
};
