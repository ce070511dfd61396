// trainSAE and Trainer with `resume`: stopped and called again, they end byte-identical to an undisturbed training.

import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ActivationBuffer, CachedRows, type RowSource } from "../../src/buffer/index.ts";
import { ResumeFolder } from "../../src/checkpoint/index.ts";
import { LanguageModel } from "../../src/nnsight/index.ts";
import { type RunEvent, Trainer, type TrainSAEOptions, trainSAE } from "../../src/train/index.ts";
import { Worker } from "../../src/worker/index.ts";
import { dictlearn } from "../cli/support.ts";
import { path, python, rejection } from "../support.ts";

const GOLDEN = path("test/fixtures/golden");
const folder = mkdtempSync(join(tmpdir(), "dictlearn-resume-script-"));
const BATCH = 64;

let worker: Worker;
let model: LanguageModel;
beforeAll(async () => {
  worker = await Worker.start({
    python: await python(),
    environment: { OMP_NUM_THREADS: "1", HF_HUB_OFFLINE: "1" },
  });
  model = await LanguageModel.load(join(GOLDEN, "tiny-neox"), { worker, device: "cpu" });
});
afterAll(async () => await worker.close());

const buffer = async (over: { readonly seed?: number; readonly documents?: readonly string[] } = {}) => {
  const { seed = 1, documents } = over;
  const shape = { n_ctxs: 12, ctx_len: 32, in_batch_size: 4, out_batch_size: BATCH };
  const data = documents ?? { path: join(GOLDEN, "texts.jsonl"), shuffleBuffer: 8 };
  return await ActivationBuffer.create(data, model, "gpt_neox.layers[1].mlp", { ...shape, seed });
};
const rows = async () =>
  await CachedRows.open(worker, {
    path: join(GOLDEN, "train", "standard-f32.safetensors"),
    outBatchSize: BATCH,
    dtype: "float32",
    device: "cpu",
  });

/** A run in which features die and are resampled, rows are scaled, and the rate depends on the last resampling. */
const options: TrainSAEOptions = {
  dictionary_size: 48,
  device: "cpu",
  seed: 3,
  steps: 50,
  lr: 1e-2,
  sparsity_penalty: 0.1,
  warmup_steps: 4,
  resample_steps: 16,
  resample_rows: 256,
  save_steps: 10,
  log_steps: 1,
  normalize_activations: true,
};

let saved = 0;
const bytesOf = async (source: RowSource & AsyncDisposable, more: Partial<TrainSAEOptions>): Promise<Buffer> => {
  await using _ = source;
  await using ae = await trainSAE(source, { ...options, ...more });
  const file = join(folder, `ae-${saved++}.pt`);
  await ae.save(file);
  return readFileSync(file);
};

/** Options with a signal that fires when step `last` is logged. */
const until = (last: number): Partial<TrainSAEOptions> => {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    onMetrics: ({ step }) => {
      if (step >= last) controller.abort();
    },
  };
};

describe.each([
  ["a buffer", buffer],
  ["cached rows", rows],
])("trainSAE on %s", (name, make) => {
  it("goes on from where a signal stopped it, twice, and ends in the same bytes", async () => {
    const alone = join(folder, `${name} alone`);
    const undisturbed = await bytesOf(await make(), { save_dir: alone });
    const save_dir = join(folder, name);
    const kept = { save_dir, resume: "exact", resume_every: 8 } as const;
    await bytesOf(await make(), { ...kept, ...until(9) });
    const interrupted = await bytesOf(await make(), { ...kept, ...until(25) });
    expect(interrupted.equals(undisturbed)).toBe(false);
    expect(new ResumeFolder(save_dir).exists).toBe(true);
    const events: RunEvent[] = [];
    const taken = await bytesOf(await make(), { ...kept, onEvent: (event) => events.push(event) });
    expect(events.find(({ type }) => type === "resumed")).toMatchObject({ exact: true });
    const steps = events.flatMap((event) => (event.type === "metrics" ? event.metrics.step : []));
    expect(Math.min(...steps)).toBeGreaterThan(20);
    expect(steps.at(-1)).toBe(49);
    expect(taken.equals(undisturbed)).toBe(true);
    const checkpoints = readdirSync(join(alone, "checkpoints"));
    expect(checkpoints).toHaveLength(5);
    expect(readdirSync(join(save_dir, "checkpoints"))).toEqual(checkpoints);
    for (const each of checkpoints) {
      const [ours, theirs] = [save_dir, alone].map((at) => readFileSync(join(at, "checkpoints", each)));
      expect(ours?.equals(theirs ?? Buffer.alloc(0)), each).toBe(true);
    }
    expect(existsSync(join(save_dir, "resume"))).toBe(false);
  });
});

/** A custom loop: the rate depends on the last resampling, and features that fired too rarely are resampled. */
const ownLoop = async (trainer: Trainer, steps: number): Promise<void> => {
  while (trainer.steps < steps) {
    const { steps: step, resampledAt = -Number.POSITIVE_INFINITY } = trainer;
    await trainer.step({ lr: 1e-2 * Math.min(1, (step - resampledAt) / 9), sparsity_penalty: 0.1 });
    if (step % 15 === 6) await trainer.resample(await trainer.silentFeatures(5));
  }
};

describe.each([
  ["a buffer", buffer],
  ["cached rows", rows],
])("a Trainer on %s", (name, make) => {
  const input = { dictionary_size: 48, device: "cpu", seed: 3, resample_rows: 256, normalize_activations: true };
  const STEPS = 40;

  it("goes on from a state that was asked for, and from the last one before it was cut off, in the same bytes", async () => {
    const finished = async (trainer: Trainer, file: string): Promise<Buffer> => {
      await using ae = await trainer.finish();
      await ae.save(join(folder, file));
      return readFileSync(join(folder, file));
    };
    await using first = await make();
    await using alone = await Trainer.create(first, input);
    await ownLoop(alone, STEPS);
    const resampledAt = alone.resampledAt;
    expect(resampledAt).toBeGreaterThan(5);
    const undisturbed = await finished(alone, `${name} alone.pt`);

    const save_dir = join(folder, `${name} of a trainer`);
    const events: RunEvent[] = [];
    const kept = { ...input, save_dir, resume: "exact", resume_every: 8 } as const;
    const open = async (source: RowSource) =>
      await Trainer.create(source, { ...kept, onEvent: (event) => events.push(event) });
    {
      await using source = await make();
      await using trainer = await open(source);
      // Right after a resampling: the state includes it, too.
      await ownLoop(trainer, 7);
      await trainer.saveState();
      await ownLoop(trainer, 10);
    }
    {
      await using source = await make();
      await using trainer = await open(source);
      expect(trainer.steps).toBe(8);
      await ownLoop(trainer, 27);
      const other = Trainer.create(source, kept);
      expect(await rejection(other)).toMatchObject({ code: "output_in_use" });
    }
    await using source = await make();
    await using trainer = await open(source);
    // On a slow disk the state after 24 steps is skipped.
    expect([16, 24]).toContain(trainer.steps);
    await ownLoop(trainer, STEPS);
    expect(trainer.resampledAt).toBe(resampledAt);
    expect((await finished(trainer, `${name}.pt`)).equals(undisturbed)).toBe(true);
    expect(events.filter(({ type }) => type === "resumed")).toMatchObject([{ exact: true }, { exact: true }]);
    expect(existsSync(save_dir) && readdirSync(save_dir)).toEqual([]);
  });
});

describe("trainSAE with resume refuses", () => {
  it("other options, other rows, and a command that would go on with a script's training", async () => {
    const kept = { save_dir: join(folder, "other"), resume: "exact" } as const;
    await bytesOf(await buffer(), { ...kept, ...until(3) });
    const attempt = async (source: RowSource & AsyncDisposable, more: Partial<TrainSAEOptions>) =>
      await rejection(bytesOf(source, { ...kept, ...more }));
    expect((await attempt(await buffer(), { lr: 1e-3 })).message).toMatch(/begun with another train\.lr/);
    expect((await attempt(await buffer(), { seed: 4 })).message).toMatch(/begun with another dictionary\.seed/);
    expect((await attempt(await buffer({ seed: 2 }), {})).message).toMatch(/begun with another seed/);
    const own = Trainer.create(await buffer(), { ...options, ...kept });
    expect((await rejection(own)).message).toMatch(/begun with another loop/);
    const command = await dictlearn(["train", "--resume", kept.save_dir]);
    expect(command.exitCode).toBe(2);
    expect(command.stderr).toMatch(/holds the training of a script, so no command can continue it\.\n.*Run the script/);
  });

  it("what cannot be read again, no folder, and an interval that is none, before it touches anything", async () => {
    const save_dir = join(folder, "nothing");
    const documents = ["Some text", "of the script"];
    expect(await rejection(bytesOf(await buffer({ documents }), { save_dir, resume: "exact" }))).toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining("these rows come from what cannot be read again"),
    });
    expect((await rejection(bytesOf(await rows(), { resume: "light" }))).message).toMatch(/there is no save_dir/);
    const own = Trainer.create(await rows(), { dictionary_size: 8, resume: "exact" });
    expect((await rejection(own)).message).toMatch(/^Trainer\.create: resume is exact, but there is no save_dir/);
    const often = { save_dir, resume: "exact", resume_every: "often" } as const;
    expect((await rejection(bytesOf(await rows(), often))).message).toMatch(/resume_every/);
    expect(existsSync(save_dir)).toBe(false);
  });
});
