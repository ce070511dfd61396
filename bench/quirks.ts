// What each quirk of the reference costs alone: one run per switch, measured on the same held-out rows of SmolLM2.
// `npx tsx bench/quirks.ts [FOLDER]` prints the table of docs/numerics.md; some 20 minutes on two cores.
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  AutoEncoder,
  ensureEnvironment,
  LanguageModel,
  parseConfig,
  resolveRun,
  runTraining,
  Worker,
} from "../src/index.ts";
import { heldOutRows, type Measured, measure } from "./quirks/measure.ts";
import { base, bufferQuirks, type Quirk, trainQuirks } from "./quirks/plan.ts";

const [folder = "runs/quirks"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
await using worker = await Worker.start(await ensureEnvironment({}));
await using model = await LanguageModel.load(base.model, { worker, device: "cpu" });
const held = await heldOutRows(model);

/** Trains one run; returns for each dictionary its folder and how it went. */
const train = async (name: string, config: object) => {
  const resampled = new Map<string, number[]>();
  const output = join(folder, name.replaceAll(/[^a-z0-9]+/gi, "-"));
  const result = await runTraining(resolveRun(parseConfig({ ...config, output })), worker, {
    overwrite: true,
    observe: (event) => {
      if (event.type !== "resampled") return;
      resampled.set(event.dictionary, [...(resampled.get(event.dictionary) ?? []), event.features.length]);
    },
  });
  return { ...result, resampled };
};

const report = async (quirk: Quirk, weights: string, steps: number, resampled: readonly number[] = []) => {
  await using dictionary = await AutoEncoder.load(weights, { worker, device: "cpu" });
  const measured = await measure(dictionary, held);
  appendFileSync(join(folder, "results.jsonl"), `${JSON.stringify({ quirk, steps, resampled, ...measured })}\n`);
  console.log(row(quirk.name, steps, resampled, measured));
};

const row = (
  name: string,
  steps: number,
  resampled: readonly number[],
  { mse, varianceExplained, l1, l0, dead }: Measured,
) =>
  `| \`${name}\` | ${steps} | ${resampled.join(", ") || "none"} | ${mse.toFixed(4)} | ${(100 * varianceExplained).toFixed(1)} % | ${l1.toFixed(2)} | ${l0.toFixed(1)} | ${dead} |`;

console.log(
  "| switch | steps | resampled | MSE | variance explained | L1 | L0 | dead |\n|---|---|---|---|---|---|---|---|",
);
const dictionaries = trainQuirks.map(({ train: keys }, index) => ({
  ...base.dictionaries[0],
  ...keys,
  name: `q${index}`,
}));
const together = await train("training", { ...base, dictionaries });
for (const [index, quirk] of trainQuirks.entries()) {
  const path = together.folders[index] ?? "";
  await report(quirk, join(path, "ae.pt"), together.steps, together.resampled.get(`q${index}`));
}
for (const quirk of bufferQuirks) {
  const config = { ...base, ...quirk.run, buffer: { ...base.buffer, ...quirk.buffer } };
  const { folders, steps, resampled } = await train(quirk.name, config);
  await report(quirk, join(folders[0] ?? "", "ae.pt"), steps, resampled.get("base"));
}
