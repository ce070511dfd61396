import type { RepeatedRows } from "./repeated-rows.ts";
import { clock, repeat, type Timing } from "./timing.ts";

/** Draws per message, so that the call itself has little weight. */
const DRAWS = 4;

/** Seconds of one draw of a batch when nothing else runs: in a run, its gather overlaps with a step. */
export const measureDraw = async (rows: RepeatedRows, signal?: AbortSignal): Promise<Timing> => {
  const { worker, ref } = rows.source;
  const some = async (): Promise<number> => {
    await rows.ready(DRAWS);
    const batches = rows.take(DRAWS);
    const draw = async () => await worker.call("train.steps", { source: ref, rows: batches, trainees: [] });
    return (await clock(draw)) / batches.length;
  };
  return await repeat(some, { least: 5, most: 20, budget: 1, signal });
};
