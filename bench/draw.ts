import { freemem } from "node:os";
import { PythonPeer } from "./python-peer.ts";
import { spread, type Table } from "./table.ts";

const WIDTH = 512;
const BATCH = 8192;
/** The published size, and smaller ones for machines with little memory. */
const ROWS = [3_840_000, 1_920_000, 960_000];
const REPETITIONS = 7;

/** One draw from a full buffer, next to the plain reference buffer's. */
export const benchDraw = async (python: string): Promise<Table> => {
  const rows = ROWS.find((each) => each * WIDTH * 4 < freemem() / 2) ?? 400_000;
  await using peer = PythonPeer.start(python, "draw_peers.py");
  const found = await peer.ask({ rows, width: WIDTH, batch: BATCH, repetitions: REPETITIONS });
  const [ours, ahead, reference] = ["ours", "behind_step", "reference"].map((name) => found[name] as number[]);
  if (ours === undefined || ahead === undefined || reference === undefined) throw new Error("The peer left one out.");
  const milliseconds = (seconds: number[]) =>
    spread(
      seconds.map((each) => 1000 * each),
      1,
    );
  const ratio = spread(
    reference.map((each, index) => each / (ours[index] ?? Number.NaN)),
    1,
  );
  return {
    title: `One draw of ${BATCH} from ${rows} rows of ${WIDTH} float32, ms (medians of ${REPETITIONS}, and their range)`,
    columns: ["dictlearn", "dictlearn, gathered during a step", "reference", "reference / dictlearn"],
    rows: [[milliseconds(ours), milliseconds(ahead), milliseconds(reference), ratio]],
  };
};
