// Our statistics against those of dictionary_learning and SAELens, on the same dictionary and the same tokens:
//   npx tsx bench/evaluation-peers.ts PYTHON
// PYTHON is the interpreter of an environment with both packages. Fails when a formula that is the same gives other numbers.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { AutoEncoder, type Evaluation, evaluate, LanguageModel } from "../src/index.ts";
import { makeDictionaries } from "../test/evaluate/support.ts";

const TOLERANCE = 1e-4;
const CTX_LEN = 32;
const SUBMODULE = "gpt_neox.layers.1.mlp";
const WIDTH = 32;
const path = (relative: string) => fileURLToPath(new URL(`../${relative}`, import.meta.url));

type Name = keyof Evaluation["statistics"];
type Answers = Record<string, Record<string, number | string>>;

/** Theirs → ours, where the formula is the same; a factor where it differs by a constant. */
const SAME: Readonly<Record<string, readonly (readonly [theirs: string, ours: Name, factor?: number])[]>> = {
  dictionary_learning: [
    ["l1_loss", "l1"],
    ["l0", "l0"],
    ["frac_alive", "alive"],
    ["cossim", "cosine_similarity"],
    ["l2_ratio", "relative_norm"],
  ],
  "dictionary_learning losses": [
    ["loss_original", "loss_original"],
    ["loss_reconstructed", "loss_reconstructed"],
    ["loss_zero", "loss_zero_ablation"],
  ],
  sae_lens: [
    ["mse", "mean_square_error", WIDTH],
    ["explained_variance", "fraction_variance_explained"],
    ["l1", "l1"],
    ["l0", "l0"],
    ["alive", "alive"],
    ["cossim", "cosine_similarity"],
    ["l2_ratio", "relative_norm"],
    ["ce_loss_without_sae", "loss_original"],
    ["ce_loss_with_sae", "loss_reconstructed"],
    ["ce_loss_with_ablation", "loss_zero_ablation"],
    ["ce_loss_score", "loss_recovered_zero"],
    ["kl_div_with_sae", "kl_divergence"],
  ],
};

/** Where the formula is another one; docs/statistics.md says why and which is right. */
const OTHER: Readonly<Record<string, readonly (readonly [theirs: string, ours: Name])[]>> = {
  dictionary_learning: [
    ["l2_loss", "root_mean_square_error"],
    ["frac_variance_explained", "fraction_variance_explained"],
  ],
  sae_lens: [["explained_variance_legacy", "fraction_variance_explained"]],
};

const [python] = process.argv.slice(2);
if (python === undefined) throw new Error("Name the Python that has dictionary_learning and sae_lens.");

const folder = path("test/fixtures/golden");
// One token for each byte: texts that fill a context.
const texts = readFileSync(`${folder}/texts.jsonl`, "utf8")
  .trim()
  .split("\n")
  .map((line): string => JSON.parse(line).text)
  .filter((text) => Buffer.byteLength(text) >= CTX_LEN)
  .slice(0, 64);
const { random: weights } = await makeDictionaries({ random: ["random", WIDTH, 0] });

const question = { model: `${folder}/tiny-neox`, submodule: SUBMODULE, weights, texts, ctx_len: CTX_LEN };
const { stdout } = await execa(python, [path("bench/evaluation_peers.py")], {
  input: JSON.stringify(question),
  env: { HF_HUB_OFFLINE: "1", WANDB_MODE: "disabled" },
});
const answers: Answers = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");

await using model = await LanguageModel.load(question.model, { device: "cpu" });
await using dictionary = await AutoEncoder.load(weights, { worker: model.worker });
const { statistics } = await evaluate(dictionary, {
  model,
  submodule: SUBMODULE,
  data: texts,
  contexts: texts.length,
  buffer: { ctx_len: CTX_LEN, contexts: "truncate" },
});

const rows = Object.entries(SAME).flatMap(([library, pairs]) =>
  pairs.map(([theirs, ours, factor = 1]) => {
    const expected = Number(answers[library]?.[theirs]) / factor;
    const found = statistics[ours]?.value ?? Number.NaN;
    return { library, theirs, ours, expected, found, difference: Math.abs(found / expected - 1) };
  }),
);
for (const { library, theirs, ours, expected, found, difference } of rows) {
  const verdict = difference < TOLERANCE ? "same " : "OTHER";
  console.log(
    `${verdict} ${library} ${theirs} = ${expected.toPrecision(7)}, ${ours} = ${found.toPrecision(7)}, relative ${difference.toExponential(1)}`,
  );
}
for (const [library, pairs] of Object.entries(OTHER)) {
  for (const [theirs, ours] of pairs) {
    console.log(
      `other formula: ${library} ${theirs} = ${answers[library]?.[theirs]}, ${ours} = ${statistics[ours]?.value}`,
    );
  }
}
for (const [library, answer] of Object.entries(answers)) if (answer.error) console.log(`${library}: ${answer.error}`);
if (rows.some(({ difference }) => !(difference < TOLERANCE))) process.exitCode = 1;
