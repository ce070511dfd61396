import { expect } from "vitest";
import { type Intervention, OTHER, PROMPT, type Subject, vector } from "./table.ts";

const TOKENS = 10;

/** Ids as a saved tensor, so that they can be compared like one: (tokens). */
const asTensor = async ({ model }: Subject, ids: readonly number[]) =>
  await model.trace(PROMPT, (t) => [t.tensor({ data: BigInt64Array.from(ids, BigInt), shape: [ids.length] }).save()]);

/** Generations with an intervention at every token. The drawn ids depend on the bits of all logits. */
export const generation: readonly Intervention[] = [
  {
    name: "a vector added at every token that is generated",
    typescript: async (subject) => {
      const { model, layer, width } = subject;
      const [made] = await model.generate(PROMPT, {
        maxNewTokens: TOKENS,
        minNewTokens: TOKENS,
        intervene: (t) => t.at(layer(0)).output.steer(t.tensor(vector(width)), 4),
      });
      return await asTensor(subject, made?.ids ?? []);
    },
    python: `
with model.generate(PROMPT, max_new_tokens=10, min_new_tokens=10, do_sample=False) as tracer:
    for step in tracer.iter[:10]:
        layers[0].output = layers[0].output + torch.tensor(vector) * 4
    ids = tracer.result.save()
return ids[0, -10:]`,
  },
  {
    name: "a feature clamped while tokens are drawn",
    typescript: async (subject) => {
      const { model, layer, sae } = subject;
      const made = await model.generate([PROMPT, OTHER], {
        maxNewTokens: TOKENS,
        minNewTokens: TOKENS,
        sample: { seed: 11, temperature: 1.5 },
        intervene: (t) => t.at(`${layer(1)}.mlp`).output.clampFeature(sae, 5, 4),
      });
      return await asTensor(
        subject,
        made.flatMap(({ ids }) => ids),
      );
    },
    python: `
options = dict(max_new_tokens=10, min_new_tokens=10, do_sample=True, temperature=1.5, top_k=0, top_p=1.0)
torch.manual_seed(11)
with model.generate([PROMPT, OTHER], **options) as tracer:
    for step in tracer.iter[:10]:
        x = layers[1].mlp.output
        f = sae.encode(x)
        error = x - sae.decode(f)
        f = f.clone()
        f[..., 5] = 4
        layers[1].mlp.output = sae.decode(f) + error
    ids = tracer.result.save()
return ids[:, -10:].flatten()`,
  },
  {
    name: "what is saved at every token, before and after a change",
    typescript: async ({ model, layer, width }) => {
      const { passes } = await model.generate([PROMPT, OTHER], {
        maxNewTokens: TOKENS,
        minNewTokens: TOKENS,
        intervene: (t) => {
          // Not in the order of the forward pass.
          const logits = t.logits.save();
          const site = t.at(layer(0)).output;
          const before = site.position(-1).save();
          site.steer(t.tensor(vector(width)), 4);
          return { before, after: t.at(layer(0)).output.save(), logits };
        },
      });
      return passes.flatMap(({ before, after, logits }) => [before, after, logits]);
    },
    python: `
with model.generate([PROMPT, OTHER], max_new_tokens=10, min_new_tokens=10, do_sample=False) as tracer:
    saved = nnsight.save([])
    for step in tracer.iter[:10]:
        before = layers[0].output
        after = before + torch.tensor(vector) * 4
        layers[0].output = after
        saved += [before[:, -1].clone(), after.clone(), model.output.logits.clone()]
return saved`,
  },
  {
    name: "tokens that may not come",
    typescript: async (subject) => {
      const [made] = await subject.model.generate(PROMPT, {
        maxNewTokens: TOKENS,
        minNewTokens: TOKENS,
        intervene: (t) => t.logits.feature({ from: 30 }).replace(-1e9),
      });
      expect(Math.max(...(made?.ids ?? []))).toBeLessThan(30);
      return await asTensor(subject, made?.ids ?? []);
    },
    python: `
with model.generate(PROMPT, max_new_tokens=10, min_new_tokens=10, do_sample=False) as tracer:
    for step in tracer.iter[:10]:
        output = model.output
        output.logits[..., 30:] = -1e9
    ids = tracer.result.save()
return ids[0, -10:]`,
  },
];
