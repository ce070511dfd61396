import { PythonPeer } from "./python-peer.ts";
import { spread, type Table } from "./table.ts";

const SITES = 6;
const REPETITIONS = 5;
const RUNS = [
  { width: 64, features: [256, 512], batch: 256, steps: 50 },
  { width: 512, features: [1024, 4096], batch: 1024, steps: 1 },
];

/** Six sites with two sizes each in one run, next to the sum of twelve runs of one dictionary. */
export const benchMany = async (python: string): Promise<Table> => {
  await using peer = PythonPeer.start(python, "many_peers.py");
  const rows: string[][] = [];
  for (const run of RUNS) {
    const found = await peer.ask({ ...run, sites: SITES, repetitions: REPETITIONS });
    const [together, alone] = [found.together as number[], found.alone as number[]];
    const step = (seconds: number[]) =>
      spread(
        seconds.map((each) => (1000 * each) / run.steps),
        1,
      );
    const ratio = spread(
      together.map((each, index) => each / (alone[index] ?? Number.NaN)),
      3,
    );
    rows.push([String(run.width), run.features.join(" and "), String(run.batch), step(together), step(alone), ratio]);
  }
  return {
    title: `Twelve dictionaries, ${SITES} sites × 2 sizes, one step of all, ms (medians of ${REPETITIONS}, and their range)`,
    columns: ["d", "m", "B", "one run", "twelve runs", "one / twelve"],
    rows,
  };
};
