// The cost of each quirk of the reference alone: one run per switch, measured on the same held-out rows of SmolLM2.
// `npx tsx bench/quirks.ts [FOLDER [PART_OF_A_NAME]]` prints the table of docs/numerics.md; some 20 minutes on two cores.
import assert from "node:assert/strict";
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
import { fillingSpeed, heldOutRows, type Measured, measure } from "./quirks/measure.ts";
import { base, bufferQuirks, type Quirk, trainQuirks } from "./quirks/plan.ts";

const [folder = "runs/quirks", part = ""] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
await using worker = await Worker.start(await ensureEnvironment({}));
await using model = await LanguageModel.load(base.model, { worker, device: "cpu" });
const held = await heldOutRows(model);

/** Trains one run; returns each dictionary's folder and its training's measurements. */
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
const wanted = ({ name }: Quirk): boolean => name.includes(part);
const training = trainQuirks.filter(wanted);
const dictionaries = training.map(({ train: keys }, index) => ({
  ...base.dictionaries[0],
  ...keys,
  name: `q${index}`,
}));
if (training.length > 0) {
  const { folders, steps, resampled } = await train("training", { ...base, dictionaries });
  for (const [index, quirk] of training.entries()) {
    await report(quirk, join(folders[index] ?? "", "ae.pt"), steps, resampled.get(`q${index}`));
  }
}
for (const quirk of bufferQuirks.filter(wanted)) {
  const config = { ...base, ...quirk.run, buffer: { ...base.buffer, ...quirk.buffer } };
  const { folders, steps, resampled } = await train(quirk.name, config);
  await report(quirk, join(folders[0] ?? "", "ae.pt"), steps, resampled.get("base"));
}

if ("forward: full".includes(part)) {
  const [partial, full] = [await fillingSpeed(model, "partial"), await fillingSpeed(model, "full")];
  assert.deepEqual(full.rows, partial.rows);
  console.log(`forward: full has the same rows, at ${full.speed.toFixed(0)} tokens/s for ${partial.speed.toFixed(0)}`);
}
