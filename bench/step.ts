import { PEAK_NOTE, shareOfPeak, stepOperations } from "./peak.ts";
import { PythonPeer } from "./python-peer.ts";
import { spread, type Table } from "./table.ts";

const WIDTH = 512;
const BATCH = 1024;
/** Active features of a row; null: the dense beginning, in which half of them are. */
const L0S = [100, 250, null];
const REPETITIONS = 5;

/** One step, next to one of a plain loop written from the reference procedure, and to the unavoidable product. */
export const benchStep = async (python: string, features: number): Promise<Table> => {
  await using peer = PythonPeer.start(python, "step_peers.py");
  const rows: string[][] = [];
  for (const l0 of L0S) {
    const found = await peer.ask({ width: WIDTH, features, batch: BATCH, l0, repetitions: REPETITIONS });
    rows.push([String(features), Number(found.l0).toFixed(0), ...times(found, features)]);
  }
  return {
    title: `One step, d = ${WIDTH}, B = ${BATCH}, float32, ms (medians of ${REPETITIONS}, and their range). ${PEAK_NOTE}`,
    columns: [
      "m",
      "L0",
      "dictlearn",
      "reference",
      "reference / dictlearn",
      "dictlearn / encode alone",
      "dictlearn, share of the peak",
    ],
    rows,
  };
};

const times = (found: Record<string, unknown>, features: number): string[] => {
  const [ours, reference, encode] = ["ours", "reference", "encode"].map((name) => found[name] as number[]);
  if (ours === undefined || reference === undefined || encode === undefined) throw new Error("The peer left one out.");
  const milliseconds = (seconds: number[]) =>
    spread(
      seconds.map((each) => 1000 * each),
      0,
    );
  const over = (above: number[], below: number[]) =>
    spread(above.map((each, index) => each / (below[index] ?? Number.NaN)));
  const operations = stepOperations(BATCH, WIDTH, features, Number(found.l0));
  const share = shareOfPeak(operations, ours, found.product as number[]);
  return [milliseconds(ours), milliseconds(reference), over(reference, ours), over(ours, encode), share];
};
