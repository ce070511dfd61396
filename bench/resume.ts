import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Contexts } from "../src/activations/index.ts";
import { ActivationBuffer, bufferOptions, contextsOptions } from "../src/buffer/index.ts";
import { loadConfig, resolveRun } from "../src/config/index.ts";
import { AutoEncoder } from "../src/dictionary/index.ts";
import { LanguageModel } from "../src/nnsight/index.ts";
import { TextStream } from "../src/text/index.ts";
import { Trainee } from "../src/train/trainee.ts";
import { Worker } from "../src/worker/index.ts";
import { median, type Table } from "./table.ts";

const QUICKSTART = fileURLToPath(new URL("../configs/quickstart.yaml", import.meta.url));
const STEPS = 6;
const SAVES = 5;

/** The cost of an exact state at the quickstart's size, with a tenth of its buffer's contexts, to fill it soon. */
export const benchResume = async (python: string): Promise<Table> => {
  const { config, dictionaries } = resolveRun(loadConfig(QUICKSTART, { "buffer.n_ctxs": "250" }));
  const [first] = dictionaries;
  if (first === undefined || config.model === null || config.data === null) throw new Error("no quickstart");
  await using worker = await Worker.start({ python });
  const model = await LanguageModel.load(config.model, { worker, device: "cpu" });
  const contexts = await Contexts.open(
    model,
    await TextStream.open(worker, config.data),
    contextsOptions(config.buffer),
  );
  const { generator } = await worker.call("generator.create", { seed: 0 });
  const site = { submodule: first.submodule ?? "", io: first.io };
  const source = await ActivationBuffer.open(contexts, [site], {
    ...bufferOptions(config.buffer),
    dtype: "float32",
    device: "cpu",
    generator,
    keepContexts: true,
  });
  const [widths = { input: 0, output: 0 }] = source.widths;
  const shape = {
    inputWidth: widths.input,
    outputWidth: widths.output,
    size: first.dictionary_size,
    dtype: "float32",
  } as const;
  const dictionary = await AutoEncoder.create(worker, shape, { device: "cpu", generator });
  const options = { name: first.name, site: 0, settings: first.train, autocast: null, generator };
  const trainee = await Trainee.create(dictionary, options);

  await source.fill();
  const step = async (number: number) => {
    const rows = await source.next(1);
    await worker.call("train.steps", { source: source.ref, rows: [...rows], trainees: [trainee.numbers(number, 1)] });
  };
  await step(0);
  const steps: number[] = [];
  for (let number = 1; number <= STEPS; number += 1) steps.push(await milliseconds(async () => await step(number)));

  const folder = mkdtempSync(join(tmpdir(), "dictlearn-bench-"));
  const pauses: number[] = [];
  const writes: number[] = [];
  let bytes = 0;
  try {
    for (let save = 0; save < SAVES; save += 1) {
      const { contexts: text } = source;
      const params = {
        source: source.ref,
        trainees: [trainee.ref],
        generators: [generator],
        contexts: text,
        rows: true,
      };
      const path = join(folder, `${save}.safetensors`);
      const started = performance.now();
      const { write } = await worker.call("state.save", { ...params, path });
      pauses.push(performance.now() - started);
      ({ bytes } = await worker.call("state.written", { write, wait: true }));
      writes.push(performance.now() - started - (pauses.at(-1) ?? 0));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const interval = 500 * median(steps);
  const share = (cost: number) => `${((100 * cost) / interval).toFixed(2)} %`;
  return {
    title: `An exact state of ${(bytes / 1e6).toFixed(0)} MB, every 500 steps of ${median(steps).toFixed(0)} ms`,
    columns: ["", "ms", "of 500 steps"],
    rows: [
      ["training waits for the copy", median(pauses).toFixed(0), share(median(pauses))],
      ["another thread writes, hashes, syncs", median(writes).toFixed(0), share(median(writes))],
    ],
  };
};

const milliseconds = async (work: () => Promise<void>): Promise<number> => {
  const started = performance.now();
  await work();
  return performance.now() - started;
};
