import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CachedRows } from "../src/buffer/index.ts";
import { parseTraining } from "../src/config/index.ts";
import { AutoEncoder } from "../src/dictionary/index.ts";
import { trainLoop } from "../src/train/loop.ts";
import { Trainee } from "../src/train/trainee.ts";
import { Worker } from "../src/worker/index.ts";
import { PythonPeer } from "./python-peer.ts";
import { spread, type Table } from "./table.ts";

interface Size {
  readonly width: number;
  readonly features: number;
  readonly batch: number;
  readonly steps: number;
}

const SIZES: readonly Size[] = [
  { width: 16, features: 64, batch: 32, steps: 2000 },
  { width: 64, features: 512, batch: 256, steps: 500 },
  { width: 512, features: 8192, batch: 1024, steps: 6 },
];
const REPETITIONS = 5;
const FLOAT32 = { dtype: "float32", autocast: null } as const;
const SETTINGS = { lr: 1e-3, sparsity_penalty: 1e-3, warmup_steps: 10, log_steps: 100 };

/** Steps per second of the loop that TypeScript drives, against the same operations in one Python process and the reference. */
export const benchLoop = async (python: string): Promise<Table> => {
  const folder = mkdtempSync(join(tmpdir(), "dictlearn-bench-"));
  try {
    await using worker = await Worker.start({ python });
    await using plain = PythonPeer.start(python, "plain_loop.py");
    const rows: string[][] = [];
    for (const size of SIZES) rows.push(await benchSize(worker, plain, size, folder));
    return {
      title: `Steps per second on cached rows, float32 (medians of ${REPETITIONS} pairs, and their range)`,
      columns: ["d", "m", "B", "dictlearn", "one Python process", "ratio", "same weights", "plain reference loop"],
      rows,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const benchSize = async (worker: Worker, plain: PythonPeer, size: Size, folder: string): Promise<string[]> => {
  const files = {
    rows: join(folder, `rows-${size.width}.safetensors`),
    initial: join(folder, "initial.pt"),
    trained: join(folder, "trained.pt"),
  };
  await plain.ask({ make: files.rows, ...size });
  const ours: number[] = [];
  const theirs: number[] = [];
  const references: number[] = [];
  let same = true;
  // The first pair warms up; the two take turns, so that a slow moment of the machine affects both.
  for (let repetition = 0; repetition <= REPETITIONS; repetition++) {
    const rate = await timeOurs(worker, size, files);
    const answer = await plain.ask({ train: files, ...size, ...SETTINGS });
    const reference = await plain.ask({ reference: files.rows, ...size });
    if (repetition === 0) continue;
    references.push(Number(reference.steps_per_second));
    ours.push(rate);
    theirs.push(Number(answer.steps_per_second));
    same &&= answer.same_weights === true;
  }
  const ratios = ours.map((rate, index) => rate / (theirs[index] ?? Number.NaN));
  const shape = [size.width, size.features, size.batch].map(String);
  const weights = same ? "yes" : "NO";
  return [...shape, spread(ours, 1), spread(theirs, 1), spread(ratios, 3), weights, spread(references, 1)];
};

const timeOurs = async (worker: Worker, size: Size, files: Record<string, string>): Promise<number> => {
  const { rows = "", initial = "", trained = "" } = files;
  await using source = await CachedRows.open(worker, {
    path: rows,
    outBatchSize: size.batch,
    dtype: "float32",
    device: "cpu",
  });
  const { generator } = await worker.call("generator.create", { seed: 1 });
  const shape = { inputWidth: size.width, outputWidth: size.width, size: size.features, dtype: "float32" } as const;
  await using dictionary = await AutoEncoder.create(worker, shape, { device: "cpu", generator });
  await dictionary.save(initial);
  const settings = parseTraining(
    { ...SETTINGS, steps: size.steps, save_steps: null, resample_steps: null },
    FLOAT32,
    "bench",
  );
  const options = { name: "bench", site: 0, settings, autocast: null, generator };
  const trainee = await Trainee.create(dictionary, options);
  const start = performance.now();
  await trainLoop(source, [trainee], { observe: () => {} });
  const seconds = (performance.now() - start) / 1000;
  await dictionary.save(trained);
  await worker.call("release", { handles: [trainee.ref] });
  return size.steps / seconds;
};
