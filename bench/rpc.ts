import { CallWindow, Worker } from "../src/worker/index.ts";
import { spread, type Table } from "./table.ts";

const CALLS = 3000;
const REPETITIONS = 5;
const DEPTHS = [1, 2, 4, 8, 16, 32, 64];

/** The cost of an empty call, by the number of calls in flight. */
export const benchRpc = async (python: string): Promise<Table> => {
  await using worker = await Worker.start({ python });
  const microseconds = new Map<number, number[]>(DEPTHS.map((depth) => [depth, []]));
  // The first round warms up both sides; depths take turns, so that a slow moment of the machine affects them all.
  for (let round = 0; round <= REPETITIONS; round++) {
    for (const depth of DEPTHS) {
      const each = await timeCalls(worker, depth);
      if (round > 0) microseconds.get(depth)?.push(each);
    }
  }
  return {
    title: `One call of the worker, in µs (median of ${REPETITIONS} × ${CALLS} calls, and their range)`,
    columns: ["calls in flight", "µs per call"],
    rows: [...microseconds].map(([depth, values]) => [String(depth), spread(values, 0)]),
  };
};

const timeCalls = async (worker: Worker, depth: number): Promise<number> => {
  const window = new CallWindow(worker, depth);
  const start = performance.now();
  for (let call = 0; call < CALLS; call++) await window.push("release", { handles: [] });
  await window.drain();
  return ((performance.now() - start) * 1000) / CALLS;
};
