// The whole program on a GPU: golden data, the published size end to end, the quickstart. Run by cuda.sh, or alone:
// npx tsx bench/cuda-program.ts [PYTHON [DEVICE [PART…]]]; one JSON object a line. A failed part is reported.
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { AutoEncoder, evaluate, LanguageModel } from "../src/index.ts";

const [, , python = "python3", device = "cuda", ...only] = process.argv;
const root = fileURLToPath(new URL("..", import.meta.url));
const golden = join(root, "test/fixtures/golden");
const folder = mkdtempSync(join(tmpdir(), "dictlearn-cuda-"));
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const say = (what: string, facts: object) => console.log(JSON.stringify({ what, ...facts }));

const train = async (config: object, ...args: string[]): Promise<{ seconds: number; events: readonly Event[] }> => {
  const path = join(folder, "config.json");
  writeFileSync(path, JSON.stringify(config));
  return await dictlearn(path, ...args);
};

interface Event {
  readonly type: string;
  /** Seconds since the command started. */
  readonly at: number;
  readonly [key: string]: unknown;
}

const dictlearn = async (...args: string[]) => {
  const start = performance.now();
  const command = ["--import", "tsx", join(root, "src/cli/main.ts"), "train", ...args, "--json", "--overwrite"];
  const since = () => (performance.now() - start) / 1000;
  const events: Event[] = [];
  const lines = execa(process.execPath, command, { env: { DICTLEARN_PYTHON: python } });
  for await (const line of lines) events.push({ at: since(), ...(JSON.parse(line) as object) } as Event);
  return { seconds: since(), events };
};

const COMPARE = `
import sys, torch
from safetensors.torch import load_file
golden = load_file(sys.argv[1]); state = torch.load(sys.argv[2], weights_only=True)
print(max(float(((v.double() - golden["final." + k]).norm() / golden["final." + k].double().norm())) for k, v in state.items()))`;

/** The reference's exact runs: relative distance of the final weights. */
const goldenRuns = async () => {
  for (const name of ["standard-f64", "standard-f32", "no-resampling-f64", "entropy-f64", "stretcher-f64"]) {
    const settings = json(join(golden, "train", `${name}.json`));
    const { lr, sparsity_penalty, warmup_steps, resample_steps } = settings;
    const rows = join(golden, "train", `${name}.safetensors`);
    const output = join(folder, name);
    const { seconds } = await train({
      output,
      activations: rows,
      compat: "ddac948",
      device,
      seed: settings.seed,
      dtype: settings.dtype,
      train: {
        lr,
        sparsity_penalty,
        warmup_steps,
        resample_steps,
        steps: settings.batches,
        sparsity: settings.entropy ? "entropy" : "l1",
        save_steps: null,
      },
      dictionaries: [{ dictionary_size: settings.dictionary_size, io: settings.io }],
    });
    const { stdout } = await execa(python, ["-c", COMPARE, rows, join(output, "ae.pt")]);
    say("golden run", { name, weights: Number(stdout), seconds });
  }
};

const SAVE = `
import sys, torch
from safetensors.torch import load_file
state = {k.removeprefix("dictionary."): v for k, v in load_file(sys.argv[1]).items() if k.startswith("dictionary.")}
torch.save(state, sys.argv[2])`;

/** The reference's statistics: largest relative difference. */
const goldenStatistics = async () => {
  const model = await LanguageModel.load(join(golden, "tiny-neox"), { device, python });
  await using worker = model.worker;
  for (const name of ["out", "in", "in_to_out"]) {
    const activations = join(golden, "evaluate", `${name}.safetensors`);
    const { expected, submodule, io } = json(join(golden, "evaluate", `${name}.json`));
    const path = join(folder, "ae.pt");
    await execa(python, ["-c", SAVE, activations, path]);
    await using dictionary = await AutoEncoder.load(path, { worker, device });
    const data = { path: join(golden, "texts.jsonl"), skip: 48 };
    const at = { model, submodule, io, data, activations, compat: "ddac948", contexts: 16, buffer: { ctx_len: 32 } };
    const { reference } = await evaluate(dictionary, at as Parameters<typeof evaluate>[1]);
    const away = Object.entries(reference ?? {}).map(([key, value]) => Math.abs(value / expected[key] - 1));
    say("golden statistics", { name, worst: Math.max(...away), numbers: away.length });
  }
};

/** `npx dictlearn train`, twice with --deterministic: time, quality, byte-identical? */
const quickstart = async () => {
  const config = join(root, "configs/quickstart.yaml");
  const hashes = new Set<string>();
  for (const name of ["a", "b"]) {
    const output = join(folder, name);
    const { seconds, events } = await dictlearn(config, "--device", device, "--deterministic", "--output", output);
    const { stdout } = await execa("sha256sum", [join(output, "ae.pt")]);
    hashes.add(stdout.slice(0, 64));
    const filled = events.filter(({ type }) => type === "refreshed").map((each) => each.seconds);
    const { statistics } = json(join(output, "evaluation.json"));
    const { l0, fraction_variance_explained, loss_recovered_zero } = statistics;
    say("quickstart", { seconds, filled, l0, fraction_variance_explained, loss_recovered_zero });
  }
  say("quickstart, twice", { same_bytes: hashes.size === 1 });
};

const MAKE = `
import pydoc_data.topics, json, random, shutil, sys, torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM
torch.manual_seed(0); random.seed(0)
shape = dict(hidden_size=512, num_hidden_layers=6, num_attention_heads=8, intermediate_size=2048)
GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=264, bos_token_id=0, eos_token_id=0, **shape)).save_pretrained(sys.argv[2])
for name in ("tokenizer.json", "tokenizer_config.json"): shutil.copy(f"{sys.argv[1]}/{name}", sys.argv[2])
topics = list(pydoc_data.topics.topics.values())
with open(sys.argv[3], "w") as file:
    for _ in range(int(sys.argv[4])):
        random.shuffle(topics)
        for text in topics: print(json.dumps({"text": text}), file=file)`;

/** d=512, m=8192, B=8192, 30,000 contexts of 128 in GPU memory, pythia-70m with random weights, text from a file. */
const publishedSize = async () => {
  const model = join(folder, "pythia");
  const data = join(folder, "texts.jsonl");
  await execa(python, ["-c", MAKE, join(golden, "tiny-neox"), model, data, "40"]);
  const settings: [string, object][] = [
    ["tf32", { tf32: true, resume: "off" }],
    ["tf32, states for an exact resume every 500 steps", { tf32: true }],
    ["bfloat16 model and products", { tf32: true, autocast: "bfloat16", model_dtype: "bfloat16", resume: "off" }],
  ];
  for (const [name, keys] of settings) {
    const { seconds, events } = await train({
      model,
      data,
      device,
      evaluation: null,
      ...keys,
      output: join(folder, "published"),
      buffer: { n_ctxs: 30_000, in_batch_size: 512, out_batch_size: 8192, device },
      train: { steps: 1500, resample_steps: null, save_steps: null, log_steps: 100 },
      dictionaries: [{ submodule: "gpt_neox.layers.1.mlp", dictionary_size: 8192 }],
    });
    const refills = events.filter(({ type }) => type === "refreshed");
    const metrics = events.filter(({ type }) => type === "metrics").map((each) => each.metrics);
    // From the end of the second fill to the end of the last: tokens read equal tokens trained on.
    const [from, to] = [refills[1], refills.at(-1)];
    const tokens = refills.slice(2).reduce((sum, { rows }) => sum + Number(rows), 0);
    say("published size, end to end", {
      name,
      seconds,
      refills: refills.map(({ rows, seconds: took, at }) => [rows, took, at]),
      tokens_per_s: from && to && tokens / (to.at - from.at),
      metrics: metrics.at(-1),
    });
  }
};

for (const part of [goldenRuns, goldenStatistics, publishedSize, quickstart]) {
  if (only.length > 0 && !only.includes(part.name)) continue;
  const start = performance.now();
  await part().catch((error: unknown) => say("FAILED", { part: part.name, error: String(error).slice(0, 2000) }));
  say("part", { part: part.name, seconds: (performance.now() - start) / 1000 });
}
