import { fileURLToPath } from "node:url";
import { LanguageModel } from "../src/nnsight/index.ts";
import { Worker } from "../src/worker/index.ts";
import { PythonPeer } from "./python-peer.ts";
import { spread, type Table } from "./table.ts";

const TINY = fileURLToPath(new URL("../test/fixtures/golden/tiny-neox", import.meta.url));
const LAYER = "gpt_neox.layers.1";
const PROMPT = "The cat sat on the mat";
const REPETITIONS = 20;
const TRACES = 25;
/** 8 MiB of float32. */
const NUMBERS = 2 ** 21;

/**
 * A trace next to the same one in nnsight itself, on tiny-neox, where nothing else takes time; and fetching a large
 * saved activation to Node. Both sides take turns, with one thread each, because two processes share the cores.
 */
export const benchTrace = async (python: string): Promise<Table> => {
  await using worker = await Worker.start({ python, environment: { OMP_NUM_THREADS: "1" } });
  const model = await LanguageModel.load(TINY, { worker, device: "cpu" });
  await using peer = PythonPeer.start(python, "plain_trace.py");
  await peer.ask({ model: TINY, prompt: PROMPT });
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round <= REPETITIONS; round++) {
    const own = await timeTraces(model);
    const { milliseconds } = await peer.ask({ traces: TRACES });
    if (round === 0) continue; // the first round warms up both
    ours.push(own);
    theirs.push(Number(milliseconds));
  }
  const over = ours.map((own, index) => own - (theirs[index] ?? Number.NaN));
  return {
    title: `A trace from TypeScript and one of nnsight itself, in ms (median of ${REPETITIONS} × ${TRACES}, and their range)`,
    columns: ["what", "ms"],
    rows: [
      ["nnsight in Python: steer a layer, save one number", spread(theirs)],
      ["the same from TypeScript, the number fetched and freed", spread(ours)],
      ["more than nnsight itself, pair by pair", spread(over)],
      ["8 MiB of float32 from the worker to a Float32Array", spread(await timeFetch(model))],
    ],
  };
};

/** Milliseconds of one trace that steers a layer, saves one number and fetches it. */
const timeTraces = async (model: LanguageModel): Promise<number> => {
  const start = performance.now();
  for (let trace = 0; trace < TRACES; trace++) {
    await using result = await model.trace(PROMPT, (t) => {
      const { output } = t.at(LAYER);
      output.replace(output.mul(2));
      return { logit: t.logits.select(0, 0).position(-1).feature(3).save() };
    });
    await result.logit.item();
  }
  return (performance.now() - start) / TRACES;
};

/** Milliseconds to fetch a saved tensor of 8 MiB, a new one each time. */
const timeFetch = async (model: LanguageModel): Promise<number[]> => {
  const times: number[] = [];
  for (let round = 0; round <= REPETITIONS; round++) {
    await using large = await model.trace(PROMPT, (t) => {
      const one = t.logits.select(0, 0).position(-1).feature(3);
      return {
        x: t
          .tensor({ data: new Float32Array(NUMBERS), shape: [1, NUMBERS] })
          .add(one)
          .save(),
      };
    });
    const start = performance.now();
    const numbers = await large.x.array();
    if (round > 0) times.push(performance.now() - start);
    if (numbers.length !== NUMBERS || numbers[0] !== numbers.at(-1)) throw new Error("These are not the numbers.");
  }
  return times;
};
