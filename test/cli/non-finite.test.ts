import { readdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { python } from "../support.ts";
import { dictlearn, temporaryFolder, tinyRun, writeConfig } from "./support.ts";

/** Weight files in a run's folder that hold a NaN or an infinity. */
const bad = async (output: string): Promise<string[]> => {
  const files = readdirSync(output, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".pt"));
  const script = `
import json, sys, torch
def finite(path): return all(torch.isfinite(v).all() for v in torch.load(path, weights_only=True).values())
print(json.dumps([path for path in sys.argv[1:] if not finite(path)]))`;
  const paths = files.map((name) => join(output, name));
  return JSON.parse((await execa(await python(), ["-c", script, ...paths])).stdout);
};

/** Twenty batches of rows; one batch's rows are finite, but their squares are not. */
const rowsWithHugeBatch = async (batch: number): Promise<string> => {
  const path = join(temporaryFolder(), "rows.safetensors");
  const script = `
import sys, torch
from safetensors.torch import save_file
rows = torch.randn(20, 16, 8, generator=torch.Generator().manual_seed(0))
rows[int(sys.argv[2])] *= 1e30
save_file({"inputs": rows}, sys.argv[1])`;
  await execa(await python(), ["-c", script, path, String(batch)]);
  return path;
};

const train = async (over: object, dictionaries: readonly object[] = tinyRun.dictionaries) => {
  const train = { ...tinyRun.train, resample_steps: null, log_steps: null, save_steps: null, ...over };
  const { file, output } = writeConfig({ ...tinyRun, train, dictionaries });
  const { exitCode, stderr } = await dictlearn(["train", file]);
  return { exitCode, stderr, output };
};

describe("a loss that is not finite", () => {
  it.each([
    ["when every step is a message of its own", 1],
    ["when one message carries all steps, none of which is saved behind it", null],
  ])("stops the run at the first such step and names the last good checkpoint: %s", async (_, save_steps) => {
    const { file, output } = writeConfig({
      activations: await rowsWithHugeBatch(7),
      device: "cpu",
      resume: "off",
      train: { steps: 20, resample_steps: null, log_steps: null, save_steps },
      dictionaries: [{ dictionary_size: 32 }],
    });
    const { exitCode, stderr } = await dictlearn(["train", file]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^dictlearn: The loss of step 7 is inf, so the run stopped at batch 7\.$/m);
    const last = join(output, "checkpoints", "ae_6.pt");
    expect(stderr).toContain(
      save_steps === 1 ? `The last good checkpoint is ${last}.` : "No checkpoint was written before.",
    );
    expect(stderr).not.toContain("Traceback");
    expect(readdirSync(join(output, "checkpoints"))).toHaveLength(save_steps === 1 ? 7 : 0);
    expect(readdirSync(output)).not.toContain("ae.pt");
    expect(await bad(output)).toEqual([]);
  });

  it("does not reach ae.pt when only the last update made the weights so", async () => {
    // The loss of step 0 is computed before the update that breaks the weights.
    const { exitCode, stderr, output } = await train({ lr: 1e39, warmup_steps: 0, steps: 1 });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/ae\.pt was not written, because .* holds values that are not finite\./);
    expect(stderr).toContain("The run stopped after step 0.");
    expect(readdirSync(output)).not.toContain("ae.pt");
  });

  it("is told of the dictionary that has it", async () => {
    const one = { submodule: "gpt_neox.layers.1.mlp", dictionary_size: 32 };
    const { stderr } = await train({}, [
      { ...one, name: "calm" },
      { ...one, name: "wild", lr: 1e30 },
    ]);
    expect(stderr).toMatch(/^dictlearn: wild: The loss of step \d+ is/m);
  });
});
