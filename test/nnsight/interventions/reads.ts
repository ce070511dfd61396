import { type Intervention, OTHER, PROMPT } from "./table.ts";

/** Traces that change nothing. */
export const reads: readonly Intervention[] = [
  {
    name: "the residual stream behind a layer, and the embeddings before",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => [t.at(layer(0)).output.save(), t.at(layer(0)).input.save()]),
    python: `
with model.trace(PROMPT):
    before = layers[0].input.save()
    after = layers[0].output.save()
return after, before`,
  },
  {
    name: "what an MLP takes and returns",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        const mlp = t.at(`${layer(1)}.mlp`);
        return [mlp.input.save(), mlp.output.save()];
      }),
    python: `
with model.trace(PROMPT):
    taken = layers[1].mlp.input.save()
    returned = layers[1].mlp.output.save()
return taken, returned`,
  },
  {
    name: "the first part of attention's tuple",
    typescript: async ({ model, attention }) =>
      await model.trace(PROMPT, (t) => [t.at(attention(1)).output.element(0).save()]),
    python: `
with model.trace(PROMPT):
    mixed = attention(1).output[0].save()
return mixed`,
  },
  {
    name: "the logits of several prompts of different length",
    typescript: async ({ model }) => await model.trace([PROMPT, OTHER], (t) => [t.logits.save()]),
    python: `
with model.trace([PROMPT, OTHER]):
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "a prompt of token ids",
    typescript: async ({ model }) => await model.trace([[5, 17, 99, 42]], (t) => [t.logits.position(-1).save()]),
    python: `
with model.trace([[5, 17, 99, 42]]):
    logits = model.output.logits[:, -1].save()
return logits`,
  },
  {
    name: "positions: one, several, a range",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        const x = t.at(layer(1)).output;
        return [x.position(2).save(), x.position([0, -1]).save(), x.position({ from: 1, to: 4 }).save()];
      }),
    python: `
with model.trace(PROMPT):
    x = layers[1].output
    one, several, rest = x[:, 2].save(), x[:, [0, -1]].save(), x[:, 1:4].save()
return one, several, rest`,
  },
  {
    name: "single features of one prompt of a batch",
    typescript: async ({ model, layer }) =>
      await model.trace([PROMPT, OTHER], (t) => {
        const x = t.at(layer(1)).output;
        return [x.batch(1).feature(3).save(), x.batch([0]).feature([4, 1]).save()];
      }),
    python: `
with model.trace([PROMPT, OTHER]):
    x = layers[1].output
    one, several = x[1][:, 3].save(), x[[0]][..., [4, 1]].save()
return one, several`,
  },
  {
    name: "the likeliest next tokens",
    typescript: async ({ model }) =>
      await model.trace(PROMPT, (t) => {
        const { values, indices } = t.logits.position(-1).softmax().topk(5);
        return [values.save(), indices.save(), t.logits.argmax().save()];
      }),
    python: `
with model.trace(PROMPT):
    logits = model.output.logits
    top = logits[:, -1].softmax(dim=-1).topk(5)
    values, indices, best = top.values.save(), top.indices.save(), logits.argmax(dim=-1).save()
return values, indices, best`,
  },
  {
    name: "the loss of each next token",
    typescript: async ({ model }) =>
      await model.trace([[5, 17, 99, 42]], (t) => {
        const logits = t.logits.position({ to: -1 });
        const chosen = t.tensor({ data: new BigInt64Array([17n, 99n, 42n]), shape: [3] });
        const truth = t.stack(
          [0, 1, 2].map((at) =>
            t.logits
              .select(0, 0)
              .select(0, at)
              .select(0, [17, 99, 42][at] ?? 0),
          ),
        );
        return [logits.logsumexp("feature").select(0, 0).sub(truth).mean().save(), chosen.save()];
      }),
    python: `
with model.trace([[5, 17, 99, 42]]):
    logits = model.output.logits
    truth = torch.stack([logits[0, 0, 17], logits[0, 1, 99], logits[0, 2, 42]])
    loss = (logits[:, :-1].logsumexp(-1)[0] - truth).mean().save()
return loss, torch.tensor([17, 99, 42])`,
  },
  {
    name: "sums, means, norms, extremes and variances",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        const x = t.at(layer(1)).output;
        const small = [x.sum("position"), x.mean(), x.norm("feature"), x.max("feature"), x.min([0, 1]), x.variance()];
        return small.map((each) => each.save());
      }),
    python: `
with model.trace(PROMPT):
    x = layers[1].output
    found = [x.sum(1), x.mean(), x.norm(dim=-1), x.amax(-1), x.amin((0, 1)), x.var(correction=0)]
    found = nnsight.save(found)
return found`,
  },
  {
    name: "arithmetic of values and numbers",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        const [x, y] = [t.at(layer(0)).output, t.at(layer(1)).output];
        return [
          y.sub(x).mul(0.5).add(1).save(),
          x.div(y.abs().add(0.25)).pow(2).neg().save(),
          x.exp().sqrt().tanh().save(),
        ];
      }),
    python: `
with model.trace(PROMPT):
    x = layers[0].output
    y = layers[1].output
    found = [(y - x) * 0.5 + 1, -((x / (y.abs() + 0.25)) ** 2), x.exp().sqrt().tanh()]
    found = nnsight.save(found)
return found`,
  },
  {
    name: "comparisons, and one value or another",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        const x = t.at(layer(1)).output;
        return [t.where(x.gt(0.1), x, -1).save(), x.le(0).save(), x.gt(3).any("feature").save()];
      }),
    python: `
with model.trace(PROMPT):
    x = layers[1].output
    chosen, small, large = torch.where(x > 0.1, x, -1).save(), (x <= 0).save(), (x > 3).any(-1).save()
return chosen, small, large`,
  },
  {
    name: "the similarity of all positions",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        const x = t.at(layer(1)).output.select(0, 0);
        const unit = x.div(x.norm(-1, { keep: true }));
        return [unit.matmul(unit.permute([1, 0])).save(), unit.cumsum(0).logSoftmax().save()];
      }),
    python: `
with model.trace(PROMPT):
    x = layers[1].output[0]
    unit = x / x.norm(dim=-1, keepdim=True)
    similar, summed = (unit @ unit.permute(1, 0)).save(), unit.cumsum(0).log_softmax(-1).save()
return similar, summed`,
  },
  {
    name: "two layers joined, and in half precision",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        const both = [t.at(layer(0)).output, t.at(layer(1)).output];
        return [t.cat(both, -1).save(), t.stack(both).to("bfloat16").save()];
      }),
    python: `
with model.trace(PROMPT):
    x = layers[0].output
    y = layers[1].output
    wide, tall = torch.cat([x, y], dim=-1).save(), torch.stack([x, y]).to(torch.bfloat16).save()
return wide, tall`,
  },
  {
    name: "a pass that ends early",
    typescript: async ({ model, layer }) => await model.trace(PROMPT, (t) => [t.at(layer(0)).output.relu().save()]),
    python: `
with model.trace(PROMPT) as tracer:
    x = torch.relu(layers[0].output).save()
    tracer.stop()
return x`,
  },
  {
    name: "the features of a dictionary, and its reconstruction",
    typescript: async ({ model, layer, sae }) =>
      await model.trace(PROMPT, (t) => {
        const x = t.at(`${layer(1)}.mlp`).output;
        return [x.encode(sae).save(), x.reconstruct(sae).save()];
      }),
    python: `
with model.trace(PROMPT):
    x = layers[1].mlp.output
    f = sae.encode(x).save()
    y = sae.decode(f).save()
return f, y`,
  },
];
