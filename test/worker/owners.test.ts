// The creator of an object in the worker releases it: after each entry the worker holds the same objects as before.

import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ActivationBuffer,
  AutoEncoder,
  CachedRows,
  createReport,
  evaluate,
  LanguageModel,
  parseConfig,
  type RowSource,
  type RunEvent,
  resolveRun,
  runTraining,
  Trainer,
  type TrainSAEOptions,
  trainSAE,
  verifyPublished,
  type Worker,
} from "../../src/index.ts";
import { GOLDEN, TINY, temporaryFolder, tinyRun } from "../cli/support.ts";
import { rejection, startWorker } from "../support.ts";

const TEXTS = { path: join(GOLDEN, "texts.jsonl") };
const ROWS = join(GOLDEN, "train", "standard-f32.safetensors");
const MLP = "gpt_neox.layers[1].mlp";
/** A rate at which the first step's weights are not finite. */
const TOO_HIGH = 1e300;

let worker: Worker;
let model: LanguageModel;
beforeAll(async () => {
  worker = await startWorker();
  model = await LanguageModel.load(TINY, { worker, device: "cpu" });
});
afterAll(async () => await worker.close());

const objects = async (of: Worker): Promise<Record<string, number>> => (await of.call("status", {})).objects;

/** Runs something and returns its failure; the worker must hold the same objects before and after. */
const clean = async (work: () => Promise<unknown>, of = worker): Promise<unknown> => {
  const before = await objects(of);
  const failure = await work().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(await objects(of)).toEqual(before);
  return failure;
};

/** The first to be found: the loss, or the weights in a checkpoint or a state. */
const notFinite = { code: expect.stringMatching(/^non_finite/) };
const aborted = (): AbortSignal => AbortSignal.abort();

const fromText = async (data: Parameters<typeof ActivationBuffer.create>[0] = TEXTS) =>
  await ActivationBuffer.create(data, model, MLP, { n_ctxs: 12, ctx_len: 32, in_batch_size: 4, out_batch_size: 64 });
const fromFile = async () =>
  await CachedRows.open(worker, { path: ROWS, outBatchSize: 64, dtype: "float32", device: "cpu" });
const SOURCES = [
  ["text", fromText],
  ["cached rows", fromFile],
] as const;

const training = { dictionary_size: 48, device: "cpu", steps: 12, lr: 1e-3, resample_steps: 6, resample_rows: 128 };
const resumable = () => ({ save_dir: temporaryFolder(), resume: "exact" as const, resume_every: 4 });

describe.each(SOURCES)("trainSAE on %s", (_, open) => {
  const train = async (options: Partial<TrainSAEOptions>) => {
    await using source = await open();
    await using _ = await trainSAE(source, { ...training, ...options });
  };

  it.each<readonly [string, () => Partial<TrainSAEOptions>, unknown]>([
    ["its end", () => ({}), undefined],
    ["its end, with states", resumable, undefined],
    ["its end, with scaled rows", () => ({ normalize_activations: true }), undefined],
    ["a refusal", () => ({ sparsity_penalty: -1 }), { name: "ConfigError" }],
    ["a refusal of the device", () => ({ device: "cuda:7" }), { name: "ConfigError" }],
    ["a size that is too large", () => ({ dictionary_size: 2 ** 45 }), {}],
    ["a folder that cannot be written", () => ({ ...resumable(), save_dir: ROWS }), {}],
    ["a loss that is not finite", () => ({ lr: TOO_HIGH }), notFinite],
    ["the same, with states", () => ({ ...resumable(), resume_every: 1, lr: TOO_HIGH }), notFinite],
    ["a callback that throws", () => ({ ...resumable(), resume_every: 1, log_steps: 1, onMetrics: fail }), fails],
    ["an abort before", () => ({ signal: aborted() }), undefined],
    ["an abort in the middle", () => until(4), undefined],
    ["the same, with states", () => ({ ...resumable(), ...until(4) }), undefined],
  ])("leaves nothing after %s", async (_, options, failure) => {
    const found = await clean(async () => await train(options()));
    if (failure === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(failure as object);
  });

  it("gives the dictionary to its caller, who can use it after the buffer is closed", async () => {
    await clean(async () => {
      const source = await open();
      const ae = await trainSAE(source, training);
      await source.close();
      expect((await ae.encode([Array.from({ length: ae.shape.inputWidth }, () => 1)])).shape).toEqual([1, 48]);
      await ae.close();
    });
  });
});

describe("eight trainings in one worker", () => {
  it("take no more memory than one, each closed after the other", async () => {
    const resident: number[] = [];
    await clean(async () => {
      for (let seed = 0; seed < 8; seed++) {
        await using source = await fromFile();
        const ae = await trainSAE(source, { dictionary_size: 131_072, device: "cpu", steps: 2, log_steps: 1, seed });
        await ae.close();
        resident.push((await worker.call("status", {})).resident_bytes);
      }
    });
    // Weights and moments of one are 51 MB. Libraries allocate their own memory in the first two.
    const [, second = 0] = resident;
    const grown = (resident.at(-1) ?? 0) - second;
    expect(grown, resident.map((bytes) => `${Math.round(bytes / 1e6)} MB`).join(", ")).toBeLessThan(6 * 5e6);
  });
});

const fail = (): never => {
  throw new RangeError("of the script");
};
const fails = { name: "RangeError", message: "of the script" };

/** Aborts after this many steps. */
const until = (last: number): Pick<TrainSAEOptions, "signal" | "onEvent"> => {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    onEvent: (event) => {
      if (event.type === "step" && event.step >= last) controller.abort();
    },
  };
};

describe("ActivationBuffer.create leaves nothing", () => {
  const options = { n_ctxs: 12, ctx_len: 32, in_batch_size: 4, out_batch_size: 64 };
  it.each<readonly [string, () => Promise<unknown>]>([
    ["after an unknown module", () => ActivationBuffer.create(TEXTS, model, "gpt_neox.layers[9].mlp", options)],
    [
      "after contexts that are too long",
      () => ActivationBuffer.create(TEXTS, model, MLP, { ...options, ctx_len: 4096 }),
    ],
    ["after text that is not there", () => ActivationBuffer.create({ path: "none.txt" }, model, MLP, options)],
    [
      "after a device that is not there",
      () => ActivationBuffer.create(TEXTS, model, MLP, { ...options, device: "cuda:7" }),
    ],
    ["after rows that are too many", () => ActivationBuffer.create(TEXTS, model, MLP, { ...options, n_ctxs: 2 ** 45 })],
  ])("%s", async (_, create) => {
    expect(await clean(create)).toBeInstanceOf(Error);
  });
});

describe.each(SOURCES)("a Trainer on %s", (_, open) => {
  const LOOP = { lr: 1e-3, sparsity_penalty: 1e-3 };
  const own = async (use: (trainer: Trainer, source: RowSource) => Promise<unknown>, options: object = {}) => {
    await using source = await open();
    await using trainer = await Trainer.create(source, { dictionary_size: 48, device: "cpu", ...options });
    await use(trainer, source);
  };
  const finish = async (trainer: Trainer) => {
    for (let step = 0; step < 6; step++) await trainer.step(LOOP);
    await using _ = await trainer.finish();
  };

  it.each<readonly [string, () => Promise<unknown>, unknown]>([
    ["its end", () => own(finish), undefined],
    ["its end, with states", () => own(finish, { ...resumable(), resume_every: 2 }), undefined],
    ["a refusal", () => own(finish, { adam_beta1: 2 }), { name: "ConfigError" }],
    ["a folder that cannot be written", () => own(finish, { ...resumable(), save_dir: ROWS }), {}],
    [
      "a loss that is not finite",
      () =>
        own(async (trainer) => {
          for (let step = 0; step < 6; step++) await trainer.step({ ...LOOP, lr: TOO_HIGH });
        }),
      notFinite,
    ],
    ["a loop that is left", () => own(async (trainer) => await trainer.step(LOOP), resumable()), undefined],
    ["a loop that throws", () => own(fail), fails],
    ["an abort", () => own(async (trainer) => await trainer.step({ ...LOOP, signal: aborted() })), undefined],
  ])("leaves nothing after %s", async (name, work, failure) => {
    const found = await clean(work);
    // Rows from text are computed when the first step requests them; rows of a file already exist.
    if (name === "an abort") return;
    if (failure === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(failure as object);
  });

  it("says that it is finished, when it is used after that", async () => {
    await own(async (trainer) => {
      await trainer.step(LOOP);
      await using _ = await trainer.finish();
      expect(await rejection(trainer.step(LOOP))).toMatchObject({
        name: "StaleHandleError",
        message: expect.stringContaining("trainee"),
      });
    });
  });
});

const config = (over: object = {}) =>
  resolveRun(parseConfig({ ...tinyRun, device: "cpu", output: join(temporaryFolder(), "run"), ...over }));
const FEW = { contexts: 4, alive_tokens: 128, frequency_tokens: 128 };
const train = { ...tinyRun.train, steps: 12, log_steps: 2, save_steps: 4 };

describe("runTraining", () => {
  const events = (type: RunEvent["type"], controller: AbortController) => (event: RunEvent) => {
    if (event.type === type) controller.abort();
  };
  const stopAt = async (type: RunEvent["type"], over: object = {}) => {
    const controller = new AbortController();
    const { signal } = controller;
    const result = await runTraining(config({ train, ...over }), worker, { observe: events(type, controller), signal });
    return result;
  };
  const run = async (over: object = {}) => await runTraining(config({ train, ...over }), worker, { observe: () => {} });
  const two = [
    { submodule: "gpt_neox.layers.1.mlp", dictionary_size: 64 },
    { submodule: "gpt_neox.layers.0", dictionary_size: 32 },
  ];

  it.each<readonly [string, () => Promise<unknown>, unknown]>([
    ["its end", () => run({ dictionaries: two, evaluation: FEW, resume: "exact", resume_every: 4 }), undefined],
    ["its end, with rows of a file", () => run(ofRows), undefined],
    ["its end, as the reference trains", () => run({ compat: "ddac948" }), undefined],
    ["a model that is not there", () => run({ model: "./none" }), {}],
    ["a module that is not there", () => run({ dictionaries: [{ submodule: "gpt_neox.h", dictionary_size: 8 }] }), {}],
    ["rows that do not fit", () => run({ buffer: { ...tinyRun.buffer, n_ctxs: 2 ** 40 } }), { code: "does_not_fit" }],
    ["a dictionary that is too large", () => run({ ...ofRows, dictionaries: [{ dictionary_size: 2 ** 45 }] }), {}],
    [
      "targets where none are wanted",
      () => run({ ...ofRows, dictionaries: [{ dictionary_size: 8, io: "in_to_out" }] }),
      {},
    ],
    ["a loss that is not finite", () => run({ train: { ...train, lr: TOO_HIGH } }), notFinite],
    ["an abort while the model is loaded", () => stopAt("stage"), { name: "CancelledError" }],
    ["an abort while the buffer is filled", () => stopAt("filling"), undefined],
    ["an abort in the middle", () => stopAt("step", { dictionaries: two }), undefined],
    ["an abort in its evaluation", () => stopAt("evaluating", { evaluation: FEW }), undefined],
    ["an observer that throws", () => runTraining(config({ train }), worker, { observe: throwAt("metrics") }), fails],
  ])("leaves nothing after %s", async (name, work, failure) => {
    const found = await clean(work);
    if (name === "an abort while the buffer is filled") return;
    if (failure === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(failure as object);
  });

  it("leaves nothing in the worker that replaced one that was lost", async () => {
    const first = await startWorker();
    let second: Worker | undefined;
    let left: Record<string, number> | undefined;
    const startSecond = async () => {
      second = await startWorker();
      const close = second.close.bind(second);
      second.close = async () => {
        left ??= await objects(second as Worker);
        await close();
      };
      return second;
    };
    const result = await runTraining(config({ train, resume: "exact", resume_every: 4 }), first, {
      observe: (event) => {
        if (event.type === "kept" && second === undefined) first.kill();
      },
      startWorker: startSecond,
    });
    expect(result.reason).toBe("steps");
    expect(left).toEqual({});
  });

  it("keeps the reason for which a lost worker ended", async () => {
    const first = await startWorker();
    const observe = (event: RunEvent) => {
      if (event.type === "metrics") first.kill();
    };
    expect(await rejection(runTraining(config({ train }), first, { observe }))).toMatchObject({ code: "worker_died" });
  });
});

const ofRows = {
  activations: ROWS,
  model: undefined,
  data: undefined,
  buffer: undefined,
  dictionaries: [{ dictionary_size: 64 }],
};

const throwAt = (type: RunEvent["type"]) => (event: RunEvent) => {
  if (event.type === type) fail();
};

describe("evaluate and createReport", () => {
  let weights: string;
  let run: string;
  beforeAll(async () => {
    const resolved = config({ train });
    await runTraining(resolved, worker, { observe: () => {} });
    run = resolved.config.output;
    weights = join(run, "ae.pt");
    expect(existsSync(weights)).toBe(true);
  });
  const buffer = { n_ctxs: 8, ctx_len: 32, in_batch_size: 4, out_batch_size: 64 };
  const measure = async (over: object = {}) => {
    await using dictionary = await AutoEncoder.load(weights, { worker, device: "cpu" });
    const at = { model, submodule: MLP, data: TEXTS, buffer, contexts: 4, aliveTokens: 128, frequencyTokens: 128 };
    await evaluate(dictionary, { ...at, ...over });
  };
  const abortAt = (stage: RegExp) => {
    const controller = new AbortController();
    const onProgress = (at: { stage: string }) => {
      if (stage.test(at.stage)) controller.abort();
    };
    return { signal: controller.signal, onProgress };
  };
  const report = async (over: object = {}, path = run) => {
    const amounts = { features: 4, contexts: 2, tokens: 128, lossContexts: 2 };
    await createReport([path], { worker, device: "cpu", ...amounts, ...over });
  };
  const unevaluated = () => {
    const folder = join(temporaryFolder(), "copy");
    mkdirSync(folder);
    cpSync(weights, join(folder, "ae.pt"));
    cpSync(join(run, "config.json"), join(folder, "config.json"));
    return folder;
  };

  it.each<readonly [string, () => Promise<unknown>, unknown]>([
    ["evaluate", () => measure(), undefined],
    ["evaluate as the reference does", () => measure({ compat: "ddac948" }), undefined],
    ["evaluate of rows of another width", () => measure({ activations: ROWS }), { code: "width_mismatch" }],
    ["evaluate without text", () => measure({ data: [] }), { code: "no_tokens" }],
    [
      "evaluate as the reference does, without enough text",
      () => measure({ compat: "ddac948", data: ["short"] }),
      { code: "no_tokens" },
    ],
    ["evaluate at another place", () => measure({ submodule: `${MLP}.dense_h_to_4h` }), { code: "other_place" }],
    [
      "evaluate at another width",
      () => measure({ submodule: `${MLP}.dense_h_to_4h`, transfer: true }),
      { code: "width_mismatch" },
    ],
    ["evaluate whose progress throws", () => measure({ onProgress: fail }), fails],
    ["evaluate, aborted in its first pass", () => measure(abortAt(/Reading/)), { name: "CancelledError" }],
    ["evaluate, aborted in its second pass", () => measure(abortAt(/losses/)), undefined],
    ["createReport", () => report(), undefined],
    ["createReport of what is not evaluated", () => report({}, unevaluated()), undefined],
    ["createReport of an unknown feature", () => report({ addFeatures: [9999] }), { name: "ConfigError" }],
    ["createReport of an unknown model", () => report({ choices: { model: "./none" } }), {}],
    ["createReport, aborted", () => report(abortAt(/effects/)), { name: "CancelledError" }],
    ["verifyPublished of nothing", () => verifyPublished(temporaryFolder(), { worker }), { code: "no_dictionaries" }],
  ])("%s leaves nothing", async (name, work, failure) => {
    const found = await clean(work);
    if (name === "evaluate, aborted in its second pass") return;
    if (failure === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(failure as object);
  });
});
