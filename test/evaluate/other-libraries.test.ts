import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { beforeAll, describe, expect, it } from "vitest";
import { AutoEncoder, type Evaluation, evaluate, LanguageModel } from "../../src/index.ts";
import { GOLDEN, TINY } from "../cli/support.ts";
import { OTHER_ENVIRONMENT, otherPython } from "../other-libraries.ts";
import { path, startWorker } from "../support.ts";
import { makeDictionaries } from "./support.ts";

const TOLERANCE = 1e-4;
const CTX_LEN = 32;
const WIDTH = 32;
const SUBMODULE = "gpt_neox.layers.1.mlp";

type Name = keyof Evaluation["statistics"];
type Library = "dictionary_learning" | "dictionary_learning losses" | "sae_lens";

let statistics: Evaluation["statistics"];
let answers: Record<Library, Record<string, number | string>>;

/** The same dictionary on the same tokens, measured by the two libraries' own functions and by ours. */
beforeAll(async () => {
  const other = await otherPython();
  // One token per byte: texts that fill a context.
  const texts = readFileSync(join(GOLDEN, "texts.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line): string => JSON.parse(line).text)
    .filter((text) => Buffer.byteLength(text) >= CTX_LEN)
    .slice(0, 64);
  const { sparse: weights } = await makeDictionaries({ sparse: ["sparse", WIDTH, 0] });
  const { stdout } = await execa(other, [path("test/fixtures/other-evaluations.py")], {
    input: JSON.stringify({ model: TINY, submodule: SUBMODULE, weights, texts, ctx_len: CTX_LEN }),
    env: OTHER_ENVIRONMENT,
  });
  answers = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  await using worker = await startWorker();
  await using model = await LanguageModel.load(TINY, { worker, device: "cpu" });
  await using dictionary = await AutoEncoder.load(weights, { worker, device: "cpu" });
  const on = { model, submodule: SUBMODULE, data: texts, contexts: texts.length };
  ({ statistics } = await evaluate(dictionary, { ...on, buffer: { ctx_len: CTX_LEN, contexts: "truncate" } }));
}, 900_000);

const theirs = (library: Library, name: string): number => {
  const answer = answers[library];
  if (answer.error !== undefined) throw new Error(`${library}: ${answer.error}`);
  return Number(answer[name]);
};
const ours = (name: Name): number => statistics[name]?.value ?? Number.NaN;

describe("where the formula is the same, our statistics are", () => {
  it.each<readonly [library: Library, pairs: readonly (readonly [theirs: string, ours: Name, factor?: number])[]]>([
    [
      "dictionary_learning",
      [
        ["l1_loss", "l1"],
        ["l0", "l0"],
        ["frac_alive", "alive"],
        ["cossim", "cosine_similarity"],
        ["l2_ratio", "relative_norm"],
      ],
    ],
    [
      "dictionary_learning losses",
      [
        ["loss_original", "loss_original"],
        ["loss_reconstructed", "loss_reconstructed"],
        ["loss_zero", "loss_zero_ablation"],
      ],
    ],
    [
      "sae_lens",
      [
        // A sum over coordinates.
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
    ],
  ])("those of %s", (library, pairs) => {
    for (const [name, own, factor = 1] of pairs) {
      const expected = theirs(library, name) / factor;
      expect(Math.abs(ours(own) / expected - 1), `${name} = ${expected}, ${own} = ${ours(own)}`).toBeLessThan(
        TOLERANCE,
      );
    }
    expect(ours("alive")).toBeGreaterThan(0.5);
    expect(ours("alive")).toBeLessThan(1);
  });
});

describe("where docs/statistics.md says that the formula is another one, so is the number:", () => {
  it("dictionary_learning's mean of norms is below the root of the mean of squares", () => {
    const root = Math.sqrt(WIDTH) * ours("root_mean_square_error");
    expect(theirs("dictionary_learning", "l2_loss") / root).toBeGreaterThan(0.8);
    expect(theirs("dictionary_learning", "l2_loss") / root).toBeLessThan(0.999);
  });

  it("its variance explained forgives a constant error, which this dictionary makes", () => {
    const forgiving = theirs("dictionary_learning", "frac_variance_explained");
    expect(forgiving).toBeGreaterThan(ours("fraction_variance_explained") + 0.01);
  });

  it("SAELens's old variance explained is a mean of ratios", () => {
    const legacy = theirs("sae_lens", "explained_variance_legacy");
    expect(Math.abs(legacy - ours("fraction_variance_explained"))).toBeGreaterThan(0.01);
  });
});
