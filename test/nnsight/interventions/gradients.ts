import { type Intervention, OTHER, PROMPT } from "./table.ts";

/** Traces that differentiate. */
export const gradients: readonly Intervention[] = [
  {
    name: "the gradient of a difference of logits by an MLP's output",
    typescript: async ({ model, layer }) =>
      await model.trace(PROMPT, (t) => {
        const last = t.logits.select(0, 0).position(-1);
        return [t.gradient(last.feature(3).sub(last.feature(8)), t.at(`${layer(1)}.mlp`).output).save()];
      }),
    python: `
with model.trace(PROMPT):
    x = layers[1].mlp.output
    x.requires_grad_(True)
    last = model.output.logits[0, -1]
    with (last[3] - last[8]).backward():
        gradient = x.grad.save()
return gradient`,
  },
  {
    name: "gradients by two layers, times their activations",
    typescript: async ({ model, layer }) =>
      await model.trace([PROMPT, OTHER], (t) => {
        const sites = [t.at(layer(0)).output, t.at(layer(1)).output];
        const found = t.gradient(t.logits.position(-1).logSoftmax().feature(7).sum(), sites);
        return sites.map((site, index) => (found[index] ?? site).mul(site).sum("feature").save());
      }),
    python: `
with model.trace([PROMPT, OTHER]):
    x = layers[0].output
    x.requires_grad_(True)
    y = layers[1].output
    with model.output.logits[:, -1].log_softmax(-1)[..., 7].sum().backward():
        by_y = (y.grad * y).sum(-1).save()
        by_x = (x.grad * x).sum(-1).save()
return by_x, by_y`,
  },
  {
    name: "the gradient behind a change, by what one prompt of two put there",
    typescript: async ({ model, layer }) =>
      await model.trace((t) => {
        const [a, b] = [t.invoke(PROMPT), t.invoke(OTHER)];
        b.at(layer(0)).output.position(-1).zero();
        const x = b.at(layer(1)).output;
        return [t.gradient(b.logits.norm(), x).save(), a.logits.position(-1).save()];
      }),
    python: `
model.get_input_embeddings().weight.requires_grad_(True)
with model.trace() as tracer:
    with tracer.invoke(PROMPT):
        a = model.output.logits[:, -1].detach().save()
    with tracer.invoke(OTHER):
        x = layers[0].output.clone()
        x[:, -1] = 0
        layers[0].output = x
        x = layers[1].output
        with model.output.logits.norm().backward():
            gradient = x.grad.save()
model.get_input_embeddings().weight.requires_grad_(False)
return gradient, a`,
  },
  {
    name: "the gradient by a dictionary's features and by the error beside them",
    typescript: async ({ model, layer, sae }) =>
      await model.trace(PROMPT, (t) => {
        const x = t.at(`${layer(1)}.mlp`).output;
        const features = x.encode(sae).variable();
        const error = x.sub(features.decode(sae)).variable();
        x.replace(features.decode(sae).add(error));
        const found = t.gradient(t.logits.select(0, 0).position(-1).feature(7), [features, error]);
        return found.map((each) => each.save());
      }),
    python: `
with model.trace(PROMPT):
    x = layers[1].mlp.output
    f = sae.encode(x).detach().requires_grad_(True)
    e = (x - sae.decode(f)).detach().requires_grad_(True)
    layers[1].mlp.output = sae.decode(f) + e
    with model.output.logits[0, -1, 7].backward():
        by_e = e.grad.save()
        by_f = f.grad.save()
return by_f, by_e`,
  },
];
