import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OTHER_ENVIRONMENT, otherPython } from "../test/other-libraries.ts";
import { PEAK_NOTE, shareOfPeak, stepOperations } from "./peak.ts";
import { PythonPeer } from "./python-peer.ts";
import { spread, type Table } from "./table.ts";

const WIDTH = 512;
const BATCH = 1024;
/** Active features of a row; null: the dense beginning, in which half of them are. */
const L0S = [100, 250, null];
const BATCHES = 4;
const REPETITIONS = 5;
/** Both environments have a CPU build of torch; each takes all of this machine while the other waits. */
const THREADS = { OMP_NUM_THREADS: "2" };

const LABELS: Readonly<Record<string, string>> = {
  dictlearn: "dictlearn",
  reference: "plain reference loop",
  dictionary_learning: "dictionary_learning, StandardTrainer",
  sae_lens: "SAELens, standard, SAETrainer",
  "sparsify-signum": "sparsify, top-k, Signum (its default)",
  "sparsify-adam": "sparsify, top-k, Adam",
};

/** One step next to those of other libraries, on the same rows and from the same weights, in turn. */
export const benchPeers = async (
  python: string,
  features: number,
  ours = ["dictlearn", "reference"],
): Promise<Table> => {
  const folder = mkdtempSync(join(tmpdir(), "dictlearn-bench-"));
  try {
    await using own = PythonPeer.start(python, "one_step.py", THREADS);
    await using others = await startOthers("other_steps.py");
    const rows: string[][] = [];
    let libraries = "";
    for (const l0 of L0S) {
      const file = join(folder, "start.safetensors");
      const size = { width: WIDTH, features, batch: BATCH, batches: BATCHES, l0 };
      const made = await own.ask({ prepare: file, ...size });
      const opened = await others.ask({ open: file, ...size });
      libraries = describe(made, opened);
      const actives = { ...(opened.l0 as Record<string, number>), dictlearn: made.l0, reference: made.l0 };
      const seconds = await takeTurns(
        new Map([...ours, "product"].map((name) => [name, own])),
        new Map(Object.keys(opened.l0 as object).map((name) => [name, others])),
      );
      rows.push(...tableRows(seconds, { features, actives }));
    }
    const measured = `medians of ${REPETITIONS}, and their range`;
    return {
      title: `One step, d = ${WIDTH}, B = ${BATCH}, float32, ${THREADS.OMP_NUM_THREADS} threads, ms (${measured}); ${libraries}. ${PEAK_NOTE}`,
      columns: ["m", "L0", "library", "ms", "times dictlearn's", "share of the peak"],
      rows,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** A script for the other libraries, from this folder. */
export const startOthers = async (script: string): Promise<PythonPeer> =>
  PythonPeer.start(await otherPython(), script, { ...OTHER_ENVIRONMENT, ...THREADS });

const describe = (made: Record<string, unknown>, opened: Record<string, unknown>): string => {
  const versions = Object.entries(opened.versions as Record<string, string>).map((each) => each.join(" "));
  const [here, there] = [String(made.torch), String(opened.torch)];
  const same = here === there ? `both sides torch ${here}` : `torch ${here} here, ${there} there`;
  return `${versions.join(", ")}; ${same}`;
};

/** Seconds of every side. The first round warms up; they take turns, so that a slow moment affects all. */
const takeTurns = async (...groups: readonly ReadonlyMap<string, PythonPeer>[]) => {
  const sides = groups.flatMap((group) => [...group]);
  const seconds = new Map<string, number[]>(sides.map(([name]) => [name, []]));
  for (let round = 0; round <= REPETITIONS; round++) {
    for (const [name, side] of sides) {
      const answer = await side.ask({ take: name, batch: round % BATCHES });
      if (round > 0) seconds.get(name)?.push(Number(answer.seconds));
    }
  }
  return seconds;
};

interface Case {
  readonly features: number;
  readonly actives: Readonly<Record<string, unknown>>;
}

const tableRows = (seconds: ReadonlyMap<string, number[]>, { features, actives }: Case): string[][] => {
  const products = seconds.get("product") ?? [];
  const ours = seconds.get("dictlearn") ?? [];
  return [...seconds].flatMap(([name, each]) => {
    if (name === "product") return [];
    const l0 = Number(actives[name]);
    const milliseconds = each.map((value) => 1000 * value);
    const ratio = each.map((value, index) => value / (ours[index] ?? Number.NaN));
    const share = shareOfPeak(stepOperations(BATCH, WIDTH, features, l0), each, products);
    const label = LABELS[name] ?? name;
    return [[String(features), l0.toFixed(0), label, spread(milliseconds, 0), spread(ratio), share]];
  });
};
