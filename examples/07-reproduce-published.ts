// The cost of training the twelve released SAEs of pythia-70m-deduped again: reads the config, checks the model and
// this machine, and trains nothing. Run it with `npx tsx examples/07-reproduce-published.ts [model] [text]`;
// `npx dictlearn train configs/pythia-70m-deduped/mlp-out-all.yaml` is the run itself.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { examineRun, LanguageModel, loadConfig, resolveRun } from "../src/index.ts";

const [path = "EleutherAI/pythia-70m-deduped", text] = process.argv.slice(2);

const config = fileURLToPath(new URL("../configs/pythia-70m-deduped/mlp-out-all.yaml", import.meta.url));
const run = resolveRun(loadConfig(config, { model: path, ...(text === undefined ? {} : { "data.path": text }) }));
for (const { name, dictionary_size, train } of run.dictionaries) {
  console.log(`${name}: ${dictionary_size} features, penalty ${train.sparsity_penalty}, ${train.steps} steps`);
}
assert.equal(run.dictionaries.length, 12);

// One pass of the model fills the buffers of all six layers, and each buffer serves a dictionary of either size.
await using model = await LanguageModel.load(path);
const { estimate, flops, misfit } = await examineRun(run, model.worker);
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
console.log(`${estimate.tokens} tokens, ${gigabytes(estimate.memory)} of memory, ${gigabytes(estimate.disk)} of disk`);
console.log(
  `${flops.total?.toExponential(2)} FLOPs, ${flops.dictionaries?.toExponential(2)} of them in the dictionaries`,
);
console.log(misfit === undefined ? "It fits this machine." : misfit.message);

assert.equal(estimate.steps, 103_000);
assert.ok(flops.total !== null && flops.total > 1e18);
