import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Worker } from "../../src/worker/index.ts";
import { dictlearn, temporaryFolder, tinyRun, writeConfig } from "../cli/support.ts";
import { OTHER_ENVIRONMENT, otherPython } from "../other-libraries.ts";
import { path, startWorker } from "../support.ts";
import { bytes, convert, difference, forward, json, runTorch, someRows } from "./support.ts";

/** The other libraries' answers for a folder. */
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

const ask = async (questions: Question[], save?: string): Promise<Answer[]> => {
  const { stdout } = await execa(other, [path("test/fixtures/other-libraries.py")], {
    input: JSON.stringify({ encode: questions, ...(save === undefined ? {} : { save }) }),
    env: OTHER_ENVIRONMENT,
  });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
};

/** Their features and reconstructions against ours, for one folder or two. */
const expectSame = async (answer: Answer | undefined, ours: string, input: number[][]): Promise<void> => {
  const { features, reconstruction } = await forward(worker, ours, input);
  expect(features.data.some((value) => value > 0.1)).toBe(true);
  expect(difference(features.data, answer?.features.flat() ?? [])).toBeLessThan(TOLERANCE);
  expect(difference(reconstruction.data, answer?.reconstruction.flat() ?? [])).toBeLessThan(TOLERANCE);
};

const ours = {
  run: "",
  dictionary_learning: join(folder, "ours", "dictionary_learning"),
  sae_lens: join(folder, "ours", "sae_lens"),
  sparsify: join(folder, "ours", "sparsify"),
  stretcher: join(folder, "stretcher"),
  transcoder: join(folder, "transcoder"),
};
const ofTheirs = [
  ["dictionary_learning", "dictionary_learning/trainer_0"],
  ["sae_lens", "sae_lens-True"],
  ["sae_lens", "sae_lens-False"],
  ["sae_lens", "sae_lens-transcoder"],
  ["sparsify", "sparsify-False"],
  ["sparsify", "sparsify-True"],
] as const;
const LIBRARIES = ["dictionary_learning", "sae_lens", "sparsify"] as const;
let answers: Answer[];
let answersOnTheirs: Answer[];

// Importing the libraries takes ten seconds or more, so all requests are sent at once.
beforeAll(async () => {
  other = await otherPython();
  worker = await startWorker();
  const { file, output } = writeConfig(tinyRun);
  ours.run = output;
  const trained = await dictlearn(["train", file]);
  expect(trained.exitCode, trained.stderr).toBe(0);
  for (const library of LIBRARIES) {
    const converted = await dictlearn(["convert", output, ours[library], "--to", library]);
    expect(converted.exitCode, converted.stderr).toBe(0);
  }
  await runTorch(STRETCHER, ours.stretcher);
  await convert(worker, ours.stretcher, ours.transcoder, "sae_lens");

  const questions: Question[] = [
    ...LIBRARIES.map((library) => ({ library, path: ours[library], rows: tinyRows })),
    // The run's own folder is already one of dictionary_learning.
    { library: "dictionary_learning", path: ours.run, rows: tinyRows },
    { library: "sae_lens", path: ours.transcoder, rows },
    ...ofTheirs.map(([library, name]) => ({ library, path: join(theirs, name), rows })),
  ];
  const all = await ask(questions, theirs);
  answers = all.slice(0, 5);
  answersOnTheirs = all.slice(5);
}, 900_000);
afterAll(async () => await worker?.close());

/** Two widths, and two biases that are not zero. */
const STRETCHER = `
import os
torch.manual_seed(0); os.makedirs(sys.argv[1]); n = torch.randn
decoder = n(20, 96); decoder /= decoder.norm(dim=0)
torch.save({"input_bias": n(24), "bias": n(20), "encoder.weight": n(96, 24) * 0.3, "encoder.bias": n(96) * 0.1, "decoder.weight": decoder}, sys.argv[1] + "/ae.pt")`;

describe("the other libraries' own loaders read what we write", () => {
  it("a trained dictionary, in all three", async () => {
    const classes = answers.slice(0, 4).map((answer) => answer.class);
    expect(classes).toEqual(["AutoEncoder", "StandardSAE", "SparseCoder", "AutoEncoder"]);
    for (const answer of answers.slice(0, 4)) await expectSame(answer, ours.run, tinyRows);
    expect(answers[0]?.config?.trainer).toMatchObject({ dict_class: "AutoEncoder", layer: 1, lr: 1e-3, steps: 40 });
    expect(answers[1]?.metadata).toMatchObject({
      model_name: tinyRun.model,
      hook_name: "blocks.1.hook_mlp_out",
      dataset_path: tinyRun.data,
      context_size: 32,
    });
  });

  it("a stretcher of two widths, as a transcoder of SAELens", async () => {
    expect(answers[4]?.class).toBe("Transcoder");
    await expectSame(answers[4], ours.stretcher, rows);
    await expectSame(answers[4], ours.transcoder, rows);
  });
});

describe("we read what the other libraries write", () => {
  it("and compute the same from it, also in our own format", async () => {
    for (const [index, [, name]] of ofTheirs.entries()) {
      await expectSame(answersOnTheirs[index], join(theirs, name), rows);
      const through = await convert(worker, join(theirs, name), join(folder, "through", name), "dictlearn");
      await expectSame(answersOnTheirs[index], through, rows);
    }
  });

  it("and give every file back with the same content", async () => {
    const pairs: string[] = [];
    for (const [library, name] of ofTheirs) {
      const through = await convert(worker, join(theirs, name), join(folder, "away", name), "dictlearn");
      const back = await convert(worker, through, join(folder, "back", name), library);
      const config = library === "dictionary_learning" ? "config.json" : "cfg.json";
      expect(bytes(back, config), name).toBe(bytes(theirs, name, config));
      if (library === "dictionary_learning") pairs.push(join(theirs, name, "ae.pt"), join(back, "ae.pt"));
      else expect(bytes(back, weightsOf[library]), name).toBe(bytes(theirs, name, weightsOf[library]));
    }
    const same = `
a, b = (torch.load(each, weights_only=True) for each in sys.argv[1:])
print(list(a) == list(b) and all(torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a))`;
    expect(await runTorch(same, ...pairs)).toBe("True");
  });

  it("and say in the next library's terms where it comes from", async () => {
    const target = await convert(worker, join(theirs, "sae_lens-True"), join(folder, "dl"), "dictionary_learning");
    expect(json(target, "config.json").trainer).toMatchObject({
      lm_name: "pythia-70m-deduped",
      submodule_name: "blocks.3.hook_resid_post",
      layer: 3,
    });
  });

  it("but not a top-k dictionary of sparsify, which a standard dictionary cannot be", async () => {
    const source = join(theirs, "sparsify-top8");
    const { stderr, exitCode } = await dictlearn(["convert", source, join(folder, "no"), "--to", "dictlearn"]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/only the 8 largest of 96 features are kept/);
  });
});

const weightsOf = { sae_lens: "sae_weights.safetensors", sparsify: "sae.safetensors" } as const;
