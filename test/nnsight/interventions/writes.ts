import { type Intervention, OTHER, PROMPT, vector } from "./table.ts";

/** Traces that change the model's computation. */
export const writes: readonly Intervention[] = [
  {
    name: "an MLP set to zero",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        t.at(`${layer(1)}.mlp`).output.zero();
        return [t.logits.save()];
      }),
    python: `
with model.trace(PROMPT):
    layers[1].mlp.output = torch.zeros_like(layers[1].mlp.output)
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "one position of the residual stream set to zero",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        t.at(layer(0)).output.position(2).zero();
        return [t.logits.save()];
      }),
    python: `
with model.trace(PROMPT):
    layers[0].output[:, 2] = 0
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "some neurons of one prompt of a batch set to a number",
    typescript: async ({ model, layer }) =>
      await model.trace([PROMPT, OTHER], (t) => {
        t.at(layer(0)).output.batch(1).feature([2, 5]).replace(1.5);
        return [t.logits.save()];
      }),
    python: `
with model.trace([PROMPT, OTHER]):
    layers[0].output[1, :, [2, 5]] = 1.5
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "attention's part of the tuple scaled",
    typescript: async ({ model, attention }) =>
      await model.trace(PROMPT, (t) => {
        const mixed = t.at(attention(1)).output.element(0);
        mixed.replace(mixed.mul(2));
        return [t.logits.save()];
      }),
    python: `
with model.trace(PROMPT):
    mixed, *others = attention(1).output
    attention(1).output = (mixed * 2, *others)
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "one attention head taken out",
    typescript: async ({ model, heads, width, headWidth }) =>
      await model.trace([[5, 17, 99, 42]], (t) => {
        const joined = t.at(heads(1)).input;
        const split = joined.reshape([1, 4, -1, headWidth]);
        joined.replace(split.put(2, 1, 0).reshape([1, 4, width]));
        return [t.logits.save()];
      }),
    python: `
with model.trace([[5, 17, 99, 42]]):
    split = heads(1).input.reshape(1, 4, -1, head_width).clone()
    split[:, :, 1] = 0
    heads(1).input = split.reshape(1, 4, width)
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "an MLP replaced by its mean",
    typescript: async ({ model, layer }) =>
      await model.trace([PROMPT, PROMPT], (t) => {
        t.at(`${layer(1)}.mlp`).output.meanAblate();
        return [t.at(`${layer(1)}.mlp`).output.save(), t.logits.save()];
      }),
    python: `
with model.trace([PROMPT, PROMPT]):
    mean = layers[1].mlp.output.mean(dim=(0, 1), keepdim=True)
    layers[1].mlp.output[:] = mean
    x = layers[1].mlp.output.save()
    logits = model.output.logits.save()
return x, logits`,
  },
  {
    name: "a steering vector added",
    typescript: async ({ model, layer, width }) =>
      await model.trace(PROMPT, (t) => {
        t.at(layer(0)).output.steer(t.tensor(vector(width)), 3);
        return [t.logits.save()];
      }),
    python: `
with model.trace(PROMPT):
    layers[0].output = layers[0].output + torch.tensor(vector) * 3
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "the script's own numbers at the last position",
    typescript: async ({ model, layer, width }) =>
      await model.trace(PROMPT, (t) => {
        t.at(layer(1))
          .output.position(-1)
          .replace(t.tensor(vector(width)));
        return [t.logits.position(-1).save()];
      }),
    python: `
with model.trace(PROMPT):
    layers[1].output[:, -1] = torch.tensor(vector)
    logits = model.output.logits[:, -1].save()
return logits`,
  },
  {
    name: "what an MLP takes, scaled",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        const { input } = t.at(`${layer(0)}.mlp`);
        input.replace(input.mul(0.5));
        return [t.logits.save()];
      }),
    python: `
with model.trace(PROMPT):
    layers[0].mlp.input = layers[0].mlp.input * 0.5
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "two writes to one place, and a read between",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        const { path } = t.at(layer(0));
        t.at(path).output.position(0).zero();
        const between = t.at(path).output.save();
        t.at(path).output.position(-1).replace(2);
        return [between, t.at(path).output.save(), t.logits.save()];
      }),
    python: `
with model.trace(PROMPT):
    layers[0].output[:, 0] = 0
    between = layers[0].output.clone().save()
    layers[0].output[:, -1] = 2
    after = layers[0].output.save()
    logits = model.output.logits.save()
return between, after, logits`,
  },
  {
    name: "writes to several layers",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        for (const index of [0, 1]) {
          const x = t.at(layer(index)).output;
          x.replace(x.div(x.norm("feature", { keep: true })));
        }
        return [t.logits.save()];
      }),
    python: `
with model.trace(PROMPT):
    for layer in layers[:2]:
        x = layer.output
        layer.output = x / x.norm(dim=-1, keepdim=True)
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "a value of an earlier trace patched in",
    typescript: async ({ model, layer }) => {
      await using clean = await model.trace(PROMPT, (t) => ({ x: t.at(layer(1)).output.save() }));
      return await model.trace(OTHER, (t) => {
        t.at(layer(1)).output.position(-1).replace(t.value(clean.x).select(1, -1));
        return [t.logits.save()];
      });
    },
    python: `
with model.trace(PROMPT):
    clean = layers[1].output.save()
with model.trace(OTHER):
    layers[1].output[:, -1] = clean[:, -1]
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "a value of one prompt patched into another in the same pass",
    typescript: async ({ model, layer }) =>
      await model.trace((t) => {
        const [a, b] = [t.invoke(PROMPT), t.invoke(OTHER)];
        b.at(layer(0))
          .output.position(-1)
          .replace(a.at(layer(0)).output.position(-1));
        return [a.logits.save(), b.logits.save()];
      }),
    python: `
with model.trace() as tracer:
    barrier = tracer.barrier(2)
    with tracer.invoke(PROMPT):
        x = layers[0].output[:, -1]
        barrier()
        clean = model.output.logits.save()
    with tracer.invoke(OTHER):
        barrier()
        layers[0].output[:, -1] = x
        patched = model.output.logits.save()
return clean, patched`,
  },
  {
    name: "three invokes, of which one is changed",
    typescript: async ({ model, layer }) =>
      await model.trace((t) => {
        const [a, b, c] = [t.invoke(PROMPT), t.invoke([OTHER, PROMPT]), t.invoke(OTHER)];
        b.at(`${layer(0)}.mlp`).output.zero();
        return [a, b, c].map((each) => each.logits.position(-1).save());
      }),
    python: `
with model.trace() as tracer:
    with tracer.invoke(PROMPT):
        a = model.output.logits[:, -1].save()
    with tracer.invoke([OTHER, PROMPT]):
        layers[0].mlp.output[:] = 0
        b = model.output.logits[:, -1].save()
    with tracer.invoke(OTHER):
        c = model.output.logits[:, -1].save()
return a, b, c`,
  },
  {
    name: "a dictionary's reconstruction in the place of activations",
    typescript: async ({ model, layer, sae }) =>
      await model.trace(PROMPT, (t) => {
        const x = t.at(`${layer(1)}.mlp`).output;
        x.replace(x.reconstruct(sae));
        return [t.logits.save()];
      }),
    python: `
with model.trace(PROMPT):
    layers[1].mlp.output = sae.decode(sae.encode(layers[1].mlp.output))
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "a feature clamped, with the reconstruction error kept",
    typescript: async ({ model, layer, sae }) =>
      await model.trace(PROMPT, (t) => {
        t.at(`${layer(1)}.mlp`).output.clampFeature(sae, 5, 4);
        return [t.logits.save()];
      }),
    python: `
with model.trace(PROMPT):
    x = layers[1].mlp.output
    f = sae.encode(x)
    error = x - sae.decode(f)
    f = f.clone()
    f[..., 5] = 4
    layers[1].mlp.output = sae.decode(f) + error
    logits = model.output.logits.save()
return logits`,
  },
  {
    name: "two features ablated at one position",
    typescript: async ({ model, layer, sae }) =>
      await model.trace(PROMPT, (t) => {
        t.at(`${layer(1)}.mlp`)
          .output.position(-1)
          .ablateFeature(sae, [1, 6]);
        return [t.logits.save()];
      }),
    python: `
with model.trace(PROMPT):
    x = layers[1].mlp.output[:, -1]
    f = sae.encode(x)
    error = x - sae.decode(f)
    f = f.clone()
    f[:, [1, 6]] = 0
    layers[1].mlp.output[:, -1] = sae.decode(f) + error
    logits = model.output.logits.save()
return logits`,
  },
];
