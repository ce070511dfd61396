import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { python } from "../support.ts";
import { dictlearn, GOLDEN, temporaryFolder, tinyRun, writeConfig } from "./support.ts";

const finished = (output: string) =>
  JSON.parse(readFileSync(join(output, "metrics.jsonl"), "utf8").trim().split("\n").at(-1) ?? "");

/** The fraction of variance of the unscaled rows in `activations` that the saved weights explain. */
const EXPLAINED = `
import sys, torch
from safetensors.torch import load_file
x = load_file(sys.argv[1])["inputs"].flatten(0, 1).float()
s = torch.load(sys.argv[2], weights_only=True)
f = torch.relu((x - s["bias"]) @ s["encoder.weight"].T + s["encoder.bias"])
y = f @ s["decoder.weight"].T + s["bias"]
print(float(1 - (y - x).pow(2).sum() / (x - x.mean(0)).pow(2).sum()))`;

describe("normalize_activations", () => {
  it("makes the result independent of the rows' unit, and saves weights for the rows as they are", async () => {
    const golden = join(GOLDEN, "train/standard-f32.safetensors");
    const small = join(temporaryFolder(), "small.safetensors");
    // A power of two, so that scaling the rows and scaling them back loses no bit.
    const script = `import sys\nfrom safetensors.torch import load_file, save_file\nt = load_file(sys.argv[1])\nsave_file({"inputs": t["inputs"] * 2.0**-10}, sys.argv[2])`;
    await execa(await python(), ["-c", script, golden, small]);
    const run = async (activations: string) => {
      const { file, output } = writeConfig({
        activations,
        device: "cpu",
        resume: "off",
        train: {
          steps: 60,
          lr: 1e-2,
          warmup_steps: 5,
          resample_steps: 20,
          save_steps: null,
          log_steps: 10,
          normalize_activations: true,
        },
        dictionaries: [{ dictionary_size: 64 }],
      });
      const { exitCode, stderr } = await dictlearn(["train", file]);
      expect(exitCode, stderr).toBe(0);
      return output;
    };
    const [large, tiny] = await Promise.all([run(golden), run(small)]);
    const [one, other] = [finished(large), finished(tiny)];
    expect(other.mse_loss * 2 ** 20).toBeCloseTo(one.mse_loss, 6);
    expect(other.sparsity_loss * 2 ** 10).toBeCloseTo(one.sparsity_loss, 4);
    expect(other.l0).toBeCloseTo(one.l0, 3);
    const explained = async (rows: string, output: string) =>
      Number((await execa(await python(), ["-c", EXPLAINED, rows, join(output, "ae.pt")])).stdout);
    expect(await explained(small, tiny)).toBeCloseTo(await explained(golden, large), 4);
    expect(await explained(golden, large)).toBeGreaterThan(0.2);
  });
});

describe("max_activation_norm_multiple", () => {
  it("leaves out rows that are far longer than the others, and needs a run with one site", async () => {
    const rows = async (most: number | null) => {
      const { file, output } = writeConfig({
        ...tinyRun,
        buffer: { ...tinyRun.buffer, max_activation_norm_multiple: most },
        train: { ...tinyRun.train, steps: null, resample_steps: null },
      });
      const { exitCode, stderr } = await dictlearn(["train", file]);
      expect(exitCode, stderr).toBe(0);
      return finished(output).tokens_seen as number;
    };
    const [all, most] = await Promise.all([rows(null), rows(1.1)]);
    expect(most).toBeLessThan(all);
    expect(most).toBeGreaterThan(all / 2);

    const dictionaries = [0, 1].map((layer) => ({ submodule: `gpt_neox.layers.${layer}.mlp`, dictionary_size: 8 }));
    const { file } = writeConfig({ ...tinyRun, dictionaries });
    const { exitCode, stderr } = await dictlearn(["train", file, "--buffer.max_activation_norm_multiple", "3"]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /max_activation_norm_multiple is 3 \(command line\), which needs a run that reads one site of a model, but the dictionaries read 2/,
    );
  });
});
