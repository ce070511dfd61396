import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { python } from "../support.ts";
import { dictlearn, GOLDEN, writeConfig } from "./support.ts";

interface GoldenStep {
  readonly step: number;
  readonly mse_loss: number;
  readonly sparsity_loss: number;
  readonly resampled?: { readonly dead_indices: readonly number[] };
}

/** Largest relative difference between an ae.pt and the golden tensors with a prefix. */
const COMPARE = `
import sys, torch
from safetensors.torch import load_file
golden = load_file(sys.argv[1]); state = torch.load(sys.argv[2], weights_only=True); prefix = sys.argv[3]
assert list(state) == ["bias", "encoder.weight", "encoder.bias", "decoder.weight"], list(state)
print(max(float(((state[k] - golden[prefix + k]).abs() / golden[prefix + k].abs().clamp(min=1e-3)).max()) for k in state))`;

const difference = async (golden: string, weights: string, prefix: string): Promise<number> => {
  const { stdout } = await execa(await python(), ["-c", COMPARE, golden, weights, prefix]);
  return Number(stdout);
};

describe("the golden runs of the reference, through the command line", () => {
  it.each(["standard-f64", "standard-f32", "no-resampling-f64", "entropy-f64", "stretcher-f64"])("%s", async (name) => {
    const golden = join(GOLDEN, "train", `${name}.safetensors`);
    const settings = JSON.parse(readFileSync(join(GOLDEN, "train", `${name}.json`), "utf8"));
    const { file, output } = writeConfig({
      activations: golden,
      compat: "ddac948",
      seed: settings.seed,
      dtype: settings.dtype,
      device: "cpu",
      train: {
        steps: settings.batches,
        lr: settings.lr,
        sparsity_penalty: settings.sparsity_penalty,
        sparsity: settings.entropy ? "entropy" : "l1",
        warmup_steps: settings.warmup_steps,
        resample_steps: settings.resample_steps,
        save_steps: settings.save_steps,
        log_steps: 1,
      },
      dictionaries: [{ dictionary_size: settings.dictionary_size, io: settings.io }],
    });
    const { exitCode, stderr } = await dictlearn(["train", file]);
    expect(exitCode, stderr).toBe(0);

    const tolerance = settings.dtype === "float64" ? 1e-9 : 1e-4;
    expect(await difference(golden, join(output, "ae.pt"), "final.")).toBeLessThan(tolerance);
    const checkpoints = readdirSync(join(output, "checkpoints"));
    expect(checkpoints).toHaveLength(
      settings.save_steps === null ? 0 : Math.ceil(settings.batches / settings.save_steps),
    );
    for (const checkpoint of checkpoints) {
      const step = /ae_(\d+)\.pt/.exec(checkpoint)?.[1];
      const path = join(output, "checkpoints", checkpoint);
      expect(await difference(golden, path, `checkpoints.${step}.`)).toBeLessThan(tolerance);
    }

    const lines = readFileSync(join(output, "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const steps: GoldenStep[] = settings.steps_log;
    for (const { step, mse_loss, sparsity_loss, resampled } of steps) {
      const logged = lines.find((line) => line.event === undefined && line.step === step);
      expect(Math.abs(logged.rmse_loss / mse_loss - 1), `rmse at ${step}`).toBeLessThan(tolerance);
      expect(Math.abs(logged.sparsity_loss / sparsity_loss - 1), `sparsity at ${step}`).toBeLessThan(tolerance);
      const event = lines.find((line) => line.event === "resampled" && line.step === step);
      expect(event?.features).toEqual(resampled?.dead_indices);
    }
    expect(existsSync(join(output, "config.json"))).toBe(true);
  });
});
