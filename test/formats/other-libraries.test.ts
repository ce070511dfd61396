import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheFolder, ensureEnvironment } from "../../src/environment/index.ts";
import type { Worker } from "../../src/worker/index.ts";
import { dictlearn, temporaryFolder, tinyRun, writeConfig } from "../cli/support.ts";
import { path, startWorker } from "../support.ts";
import { convert, difference, forward, json, runTorch, someRows } from "./support.ts";

/** What the other libraries say of a folder. */
interface Answer {
  readonly features: number[][];
  readonly reconstruction: number[][];
  readonly class: string;
  readonly metadata?: Record<string, unknown>;
  readonly config?: { trainer: Record<string, unknown> };
}
interface Question {
  readonly library: "dictionary_learning" | "sae_lens" | "sparsify";
  readonly path: string;
  readonly rows: number[][];
}

const TOLERANCE = 1e-6;
const folder = temporaryFolder();
const theirs = join(folder, "theirs");
const rows = someRows(32, 24);
const tinyRows = someRows(32, 32);
let other: string;
let worker: Worker;

/** Makes the environment of the other libraries once for each state of the pins, as the worker's own. */
const otherPython = async (): Promise<string> => {
  const chosen = process.env.DICTLEARN_PYTHON;
  delete process.env.DICTLEARN_PYTHON;
  // Their own requirements contradict each other and draw in gigabytes; the file of pins is complete.
  process.env.PIP_NO_DEPS = "1";
  const modules = ["dictionary_learning", "sae_lens", "sparsify"].map((module) => ({ module, package: module }));
  const places = { cache: cacheFolder(), requirements: path("test/fixtures/other-libraries.txt"), modules };
  try {
    return (await ensureEnvironment({}, places)).python;
  } finally {
    delete process.env.PIP_NO_DEPS;
    if (chosen !== undefined) process.env.DICTLEARN_PYTHON = chosen;
  }
};

const ask = async (questions: Question[], save?: string): Promise<Answer[]> => {
  const { stdout } = await execa(other, [path("test/fixtures/other-libraries.py")], {
    input: JSON.stringify({ encode: questions, ...(save === undefined ? {} : { save }) }),
    env: { OMP_NUM_THREADS: "1", HF_HUB_OFFLINE: "1", WANDB_MODE: "disabled" },
  });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
};

/** Their features and reconstructions against ours, of one folder or two. */
const expectSame = async (answer: Answer | undefined, ours: string, input: number[][]): Promise<void> => {
  const { features, reconstruction } = await forward(worker, ours, input);
  expect(features.data.some((value) => value > 0.1)).toBe(true);
  expect(difference(features.data, answer?.features.flat() ?? [])).toBeLessThan(TOLERANCE);
  expect(difference(reconstruction.data, answer?.reconstruction.flat() ?? [])).toBeLessThan(TOLERANCE);
};

beforeAll(async () => {
  other = await otherPython();
  worker = await startWorker();
}, 600_000);
afterAll(async () => await worker?.close());

describe("the other libraries' own loaders read what we write", () => {
  it("a trained dictionary, in all three", async () => {
    const { file, output } = writeConfig({ ...tinyRun, model: tinyRun.model });
    const trained = await dictlearn(["train", file]);
    expect(trained.exitCode, trained.stderr).toBe(0);
    const libraries = ["dictionary_learning", "sae_lens", "sparsify"] as const;
    const questions: Question[] = [];
    for (const library of libraries) {
      const target = join(folder, "ours", library);
      const converted = await dictlearn(["convert", output, target, "--to", library]);
      expect(converted.exitCode, converted.stderr).toBe(0);
      questions.push({ library, path: target, rows: tinyRows });
    }
    // The run's own folder is one of dictionary_learning as it stands.
    questions.push({ library: "dictionary_learning", path: output, rows: tinyRows });
    const answers = await ask(questions);
    expect(answers.map((answer) => answer.class)).toEqual(["AutoEncoder", "StandardSAE", "SparseCoder", "AutoEncoder"]);
    for (const answer of answers) await expectSame(answer, output, tinyRows);
    expect(answers[0]?.config?.trainer).toMatchObject({ dict_class: "AutoEncoder", layer: 1, lr: 1e-3, steps: 40 });
    expect(answers[1]?.metadata).toMatchObject({
      model_name: tinyRun.model,
      hook_name: "blocks.1.hook_mlp_out",
      dataset_path: tinyRun.data,
      context_size: 32,
    });
  });

  it("a stretcher of two widths, as a transcoder of SAELens", async () => {
    const source = join(folder, "stretcher");
    const code = `
import os
torch.manual_seed(0); os.makedirs(sys.argv[1]); n = torch.randn
decoder = n(20, 96); decoder /= decoder.norm(dim=0)
torch.save({"input_bias": n(24), "bias": n(20), "encoder.weight": n(96, 24) * 0.3, "encoder.bias": n(96) * 0.1, "decoder.weight": decoder}, sys.argv[1] + "/ae.pt")`;
    await runTorch(code, source);
    const target = await convert(worker, source, join(folder, "transcoder"), "sae_lens");
    const [answer] = await ask([{ library: "sae_lens", path: target, rows }]);
    expect(answer?.class).toBe("Transcoder");
    await expectSame(answer, source, rows);
    await expectSame(answer, target, rows);
  });
});

describe("we read what the other libraries write", () => {
  const cases = [
    ["dictionary_learning", "dictionary_learning/trainer_0"],
    ["sae_lens", "sae_lens-True"],
    ["sae_lens", "sae_lens-False"],
    ["sae_lens", "sae_lens-transcoder"],
    ["sparsify", "sparsify-False"],
    ["sparsify", "sparsify-True"],
  ] as const;

  it("and compute the same from it; through our format and back, every file has the same content", async () => {
    const questions = cases.map(([library, name]) => ({ library, path: join(theirs, name), rows }));
    const answers = await ask(questions, theirs);
    for (const [index, [library, name]] of cases.entries()) {
      const source = join(theirs, name);
      await expectSame(answers[index], source, rows);
      const ours = await convert(worker, source, join(folder, "through", name), "dictlearn");
      await expectSame(answers[index], ours, rows);
      const back = await convert(worker, ours, join(folder, "back", name), library);
      const files = library === "dictionary_learning" ? ["config.json"] : ["cfg.json", weightsOf[library]];
      const same = `
import filecmp
print(all(filecmp.cmp(f"{sys.argv[1]}/{name}", f"{sys.argv[2]}/{name}", shallow=False) for name in sys.argv[3:]))
if "config.json" in sys.argv:
    a, b = (torch.load(f"{each}/ae.pt", weights_only=True) for each in sys.argv[1:3])
    assert list(a) == list(b) and all(torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)`;
      expect(await runTorch(same, source, back, ...files), name).toBe("True");
    }
    const through = join(folder, "through", "sae_lens-True");
    const next = await convert(worker, through, join(folder, "dl"), "dictionary_learning");
    expect(json(next, "config.json").trainer).toMatchObject({
      lm_name: "pythia-70m-deduped",
      submodule_name: "blocks.3.hook_resid_post",
      layer: 3,
    });
  });

  it("but not a top-k dictionary of sparsify, which a standard dictionary cannot be", async () => {
    const { stderr, exitCode } = await dictlearn([
      "convert",
      join(theirs, "sparsify-top8"),
      join(folder, "no"),
      "--to",
      "dictlearn",
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/only the 8 largest of 96 features are kept/);
  });
});

const weightsOf = { sae_lens: "sae_weights.safetensors", sparsify: "sae.safetensors" } as const;
