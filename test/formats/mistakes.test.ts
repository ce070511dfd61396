import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DictlearnError } from "../../src/errors.ts";
import type { Worker } from "../../src/worker/index.ts";
import { dictlearn, temporaryFolder } from "../cli/support.ts";
import { rejection, startWorker } from "../support.ts";
import { convert, runTorch, type TensorSpec, writeSafetensors } from "./support.ts";

const folder = temporaryFolder();
let worker: Worker;

/** torch files with one mistake each, `NAME/ae.pt`, and a valid one. */
const MAKE = `
import os
n = torch.randn
good = lambda: {"bias": n(6), "encoder.weight": n(9, 6), "encoder.bias": n(9), "decoder.weight": n(6, 9)}
class Attack:
    def __reduce__(self): return os.system, (f"touch {sys.argv[1]}/attacked",)
nan = n(9, 6); nan[3, 2] = float("nan")
files = {
    "good": good(),
    "lacking": {key: value for key, value in good().items() if key != "encoder.bias"},
    "more": {**good(), "threshold": n(9)},
    "shapes": {**good(), "decoder.weight": n(9, 6)},
    "widths": {**good(), "decoder.weight": n(5, 9), "bias": n(5)},
    "axes": {**good(), "bias": n(1, 6)},
    "empty": {**good(), "encoder.weight": n(0, 6), "encoder.bias": n(0), "decoder.weight": n(6, 0)},
    "mixed": {**good(), "bias": n(6).double()},
    "whole": {**good(), "bias": torch.zeros(6, dtype=torch.int64)},
    "numbers": {**good(), "bias": 3},
    "list": [n(3)],
    "module": torch.nn.Linear(2, 2),
    "attack": {**good(), "bias": Attack()},
    "nan": {**good(), "encoder.weight": nan},
    "gated": {"decoder_bias": n(6), "encoder.weight": n(9, 6), "r_mag": n(9), "gate_bias": n(9), "mag_bias": n(9), "decoder.weight": n(6, 9)},
    "stretcher": {"input_bias": n(6), "bias": n(5), "encoder.weight": n(9, 6), "encoder.bias": n(9), "decoder.weight": n(5, 9)},
}
for name, value in files.items():
    os.makedirs(f"{sys.argv[1]}/{name}"); torch.save(value, f"{sys.argv[1]}/{name}/ae.pt")
os.makedirs(f"{sys.argv[1]}/cut off"); torch.save({"bias": n(6000)}, f"{sys.argv[1]}/cut off/ae.pt")
os.truncate(f"{sys.argv[1]}/cut off/ae.pt", 5000)`;

const TENSORS = { W_enc: { shape: [6, 9] }, W_dec: { shape: [9, 6] }, b_enc: { shape: [9] }, b_dec: { shape: [6] } };
const CFG = { architecture: "standard", d_in: 6, d_sae: 9, metadata: { sae_lens_version: "6.54.0" } };
const SPARSIFY = { d_in: 6, num_latents: 9, k: 9, activation: "topk" };

/** A folder with the valid `ae.pt`, or other tensors, and a config of any text. */
const withConfig = (
  name: string,
  file: "config.json" | "cfg.json",
  config: object | string,
  weights = "ae.pt",
): string => {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  const from = weights === "ae.pt" ? join(folder, "good", weights) : join(folder, "tensors.safetensors");
  copyFileSync(from, join(path, weights));
  writeFileSync(join(path, file), typeof config === "string" ? config : JSON.stringify(config));
  return path;
};
const saeLens = (name: string, config: object): string =>
  withConfig(name, "cfg.json", { ...CFG, ...config }, "sae_weights.safetensors");
const sparsify = (name: string, config: object): string =>
  withConfig(name, "cfg.json", { ...SPARSIFY, ...config }, "sae.safetensors");
const saeLensTensors = async (name: string, tensors: Record<string, TensorSpec>): Promise<string> => {
  const path = join(folder, name);
  await writeSafetensors(path, "sae_weights.safetensors", { ...TENSORS, ...tensors });
  writeFileSync(join(path, "cfg.json"), JSON.stringify(CFG));
  return path;
};

beforeAll(async () => {
  worker = await startWorker();
  await runTorch(MAKE, folder);
  await writeSafetensors(folder, "tensors.safetensors", TENSORS);
}, 300_000);
afterAll(async () => await worker?.close());

type Make = (name: string) => string | Promise<string>;
type Case = readonly [name: string, says: RegExp, make: Make];

/** A folder that `MAKE` wrote. */
const there: Make = (name) => join(folder, name);

const cases: Case[] = [
  ["nothing there", /There is no file or folder/, () => join(folder, "nowhere")],
  ["an empty folder", /none of ae\.pt, .* is in it/, (name) => emptyFolder(name)],
  ["lacking", /lacks encoder\.bias \(it holds bias/, there],
  ["more", /also holds threshold/, there],
  ["gated", /lacks bias, encoder\.bias/, there],
  ["shapes", /decoder\.weight is \[9, 6\], which does not go with/, there],
  ["widths", /encoder\.weight is \[9, 6\], which does not go with bias, \[5\]/, there],
  ["axes", /bias is \[1, 6\], but must have 1 axes/, there],
  ["empty", /encoder\.weight is \[0, 6\].*not empty/, there],
  ["mixed", /several dtypes, float64 and float32/, there],
  ["whole", /several dtypes/, there],
  ["numbers", /bias in it is not a tensor/, there],
  ["list", /holds a list, not tensors by name/, there],
  ["module", /not a whole PyTorch file of plain tensors/, there],
  ["cut off", /not a whole PyTorch file of plain tensors/, there],
  ["attack", /not a whole PyTorch file of plain tensors/, there],
  ["nan", /encoder\.weight holds values that are not finite/, there],
  ["not torch", /not a whole PyTorch file/, (name) => textFile(name, "ae.pt")],
  [
    "a name of another kind",
    /ends neither in \.pt nor in \.safetensors/,
    (name) => join(textFile(name, "ae.bin"), "ae.bin"),
  ],
  ["a config that is no JSON", /config\.json .*is not JSON/, (name) => withConfig(name, "config.json", "{lr: 1}")],
  ["a config that is a list", /config\.json .*holds no JSON object/, (name) => withConfig(name, "config.json", "[]")],
  [
    "another class",
    /is a GatedAutoEncoder/,
    (name) => withConfig(name, "config.json", { trainer: { dict_class: "GatedAutoEncoder" } }),
  ],
  [
    "a class that does not go with the tensors",
    /those of a AutoEncoder, but .* says AutoEncoderNew/,
    (name) => withConfig(name, "config.json", { trainer: { dict_class: "AutoEncoderNew" } }),
  ],
  [
    "kept files that were changed",
    /converted_from/,
    (name) => withConfig(name, "config.json", { dictlearn: { converted_from: { sae_lens: 1 } } }),
  ],
  [
    "two dictionaries",
    /holds 2, ae\.pt and sae\.safetensors/,
    (name) => {
      withConfig(name, "cfg.json", SPARSIFY, "sae.safetensors");
      return withConfig(name, "config.json", {});
    },
  ],
  ["no cfg.json", /there is no .*cfg\.json, which says what/, () => join(folder, "tensors.safetensors")],
  ["a gated SAE", /the architecture is gated/, (name) => saeLens(name, { architecture: "gated" })],
  ["another activation function", /function is tanh-relu/, (name) => saeLens(name, { activation_fn: "tanh-relu" })],
  [
    "rows to be normalised",
    /normalize_activations: layer_norm/,
    (name) => saeLens(name, { normalize_activations: "layer_norm" }),
  ],
  ["other widths than said", /W_enc is \[6, 9\].* says 7 to 7/, (name) => saeLens(name, { d_in: 7 })],
  ["no width", /lacks the key d_in/, (name) => saeLens(name, { d_in: undefined })],
  ["a width that is a word", /key d_in is not allowed/, (name) => saeLens(name, { d_in: "six" })],
  [
    "a scaling factor",
    /scaling_factor in it is not 1/,
    async (name) => await saeLensTensors(name, { scaling_factor: { shape: [9], value: 2 } }),
  ],
  [
    "whole numbers",
    /its tensors are int64/,
    async (name) =>
      await saeLensTensors(
        name,
        Object.fromEntries(Object.entries(TENSORS).map(([key, spec]) => [key, { ...spec, dtype: "int64" as const }])),
      ),
  ],
  ["top k", /only the 4 largest of 9 features/, (name) => sparsify(name, { k: 4 })],
  ["a skip connection", /skip connection/, (name) => sparsify(name, { skip_connection: true })],
  ["sparsify's names missing", /lacks encoder\.weight, encoder\.bias/, (name) => sparsify(name, {})],
];

const emptyFolder = (name: string): string => {
  mkdirSync(join(folder, name));
  return join(folder, name);
};

const textFile = (name: string, file: string): string => {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, file), "not weights");
  return join(folder, name);
};

describe("a source with a mistake is one sentence, and nothing is written", () => {
  it.each(cases)("%s", async (name, says, make) => {
    const source = await make(name);
    const target = join(folder, "out", name);
    const error = await rejection(convert(worker, source, target, "dictlearn"));
    expect(error.message).toMatch(says);
    expect(error).toBeInstanceOf(DictlearnError);
    expect(error.message).not.toMatch(/\n/);
    expect(existsSync(join(folder, "out"))).toBe(false);
    expect(existsSync(join(folder, "attacked"))).toBe(false);
  });
});

describe("what a format cannot hold is refused", () => {
  it.each([
    ["dictionary_learning", /no dictionary from 6 to 5 coordinates/],
    ["sparsify", /no dictionary from 6 to 5 coordinates/],
  ] as const)("a stretcher of two widths in %s", async (format, says) => {
    const error = await rejection(convert(worker, join(folder, "stretcher"), join(folder, "out"), format));
    expect(error.message).toMatch(says);
    expect(existsSync(join(folder, "out"))).toBe(false);
  });
});

describe("biases that were folded together", () => {
  it("are not taken from another dictionary's file", async () => {
    const target = await convert(worker, join(folder, "stretcher"), join(folder, "transcoder"), "sae_lens");
    const biases = { input_bias: { shape: [6], value: 5 }, "encoder.bias": { shape: [9] } };
    await writeSafetensors(target, "unfolded.safetensors", biases);
    const error = await rejection(convert(worker, target, join(folder, "out"), "dictlearn"));
    expect(error.message).toMatch(/unfolded\.safetensors holds the biases of other weights/);
    expect(existsSync(join(folder, "out"))).toBe(false);
  });
});

describe("dictlearn convert", () => {
  const run = async (...args: string[]) => {
    const { stderr, exitCode } = await dictlearn(["convert", ...args]);
    expect(stderr).not.toMatch(/Traceback|^\s+at /m);
    return { stderr, exitCode };
  };

  it("says which formats there are, and wants a folder", async () => {
    const good = join(folder, "good");
    const [unknown, file, none] = await Promise.all([
      run(good, join(folder, "x"), "--to", "onnx"),
      run(good, join(folder, "x.pt"), "--to", "dictlearn"),
      run(good, join(folder, "x")),
    ]);
    expect(unknown).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/no format onnx.*\n.*sae_lens or sparsify/),
    });
    expect(file).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/looks like a file/) });
    expect(none).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/--to/) });
    expect(existsSync(join(folder, "x"))).toBe(false);
  });

  it("replaces a dictionary only when told to, and never a folder with other files", async () => {
    const target = join(folder, "target");
    mkdirSync(target);
    writeFileSync(join(target, "ae.pt"), "precious");
    const refused = await run(join(folder, "good"), target, "--to", "sae_lens");
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/already holds a dictionary/) });
    expect(readFileSync(join(target, "ae.pt"), "utf8")).toBe("precious");

    const bad = await run(join(folder, "nan"), target, "--to", "sae_lens", "--overwrite");
    expect(bad.exitCode).toBe(1);
    expect(readdirSync(target)).toEqual(["ae.pt"]);

    const done = await run(join(folder, "good"), target, "--to", "sae_lens", "--overwrite");
    expect(done.exitCode, done.stderr).toBe(0);
    expect(readdirSync(target).sort()).toEqual(["cfg.json", "sae_weights.safetensors"]);

    writeFileSync(join(target, "thesis.tex"), "");
    const kept = await run(join(folder, "good"), target, "--to", "dictlearn", "--overwrite");
    expect(kept).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/thesis\.tex.*not replaced/) });
    const leftovers = readdirSync(folder).filter((entry) => entry.startsWith("."));
    expect(leftovers).toEqual([]);
  });

  it("does not convert a folder into itself", async () => {
    const result = await run(join(folder, "good"), join(folder, "good"), "--to", "dictlearn", "--overwrite");
    expect(result).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/the same folder/) });
  });
});
