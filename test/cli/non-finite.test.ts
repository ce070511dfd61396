import { readdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { python } from "../support.ts";
import { dictlearn, tinyRun, writeConfig } from "./support.ts";

/** Files of weights in a run's folder that hold a NaN or an infinity. */
const bad = async (output: string): Promise<string[]> => {
  const files = readdirSync(output, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".pt"));
  const script = `
import json, sys, torch
def finite(path): return all(torch.isfinite(v).all() for v in torch.load(path, weights_only=True).values())
print(json.dumps([path for path in sys.argv[1:] if not finite(path)]))`;
  const paths = files.map((name) => join(output, name));
  return JSON.parse((await execa(await python(), ["-c", script, ...paths])).stdout);
};

const train = async (over: object, dictionaries: readonly object[] = tinyRun.dictionaries) => {
  const train = { ...tinyRun.train, resample_steps: null, log_steps: null, save_steps: null, ...over };
  const { file, output } = writeConfig({ ...tinyRun, train, dictionaries });
  const { exitCode, stderr } = await dictlearn(["train", file]);
  return { exitCode, stderr, output };
};

describe("a loss that is not finite", () => {
  it("stops the run at the first such step, and names the last good checkpoint", async () => {
    // The weights grow with the rate until the square of an error is too large for float32.
    const { exitCode, stderr, output } = await train({ lr: 5e18, warmup_steps: 20, save_steps: 1 });
    expect(exitCode).toBe(1);
    const step = Number(/The loss of step (\d+) is (?:inf|nan), so the run stopped at batch \1\./.exec(stderr)?.[1]);
    expect(step).toBeGreaterThan(1);
    const checkpoints = readdirSync(join(output, "checkpoints"));
    expect(checkpoints).toHaveLength(step);
    expect(stderr).toContain(`The last good checkpoint is ${join(output, "checkpoints", `ae_${step - 1}.pt`)}.`);
    expect(stderr).not.toContain("Traceback");
    expect(readdirSync(output)).not.toContain("ae.pt");
    expect(await bad(output)).toEqual([]);

    // The same step is named when one message carries all the steps, and nothing of what is behind it is saved.
    const together = await train({ lr: 5e18, warmup_steps: 20 });
    expect(together.stderr).toContain(`The loss of step ${step} is`);
    expect(together.stderr).toContain("No checkpoint was written before.");
    expect(readdirSync(together.output)).not.toContain("ae.pt");
    expect(readdirSync(join(together.output, "checkpoints"))).toEqual([]);
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
