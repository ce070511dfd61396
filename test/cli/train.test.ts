import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { python } from "../support.ts";
import { dictlearn, tinyRun, writeConfig } from "./support.ts";

const run = async (over: object = {}, args: readonly string[] = []) => {
  const { file, output } = writeConfig({ ...tinyRun, ...over });
  const result = await dictlearn(["train", file, ...args]);
  expect(result.exitCode, result.stderr).toBe(0);
  return { output, stdout: result.stdout };
};

const bytes = (...parts: string[]): string => readFileSync(join(...parts)).toString("base64");

const CLOCK = new Set(["seconds", "steps_per_second", "tokens_per_second"]);

/** metrics.jsonl without what depends on the clock. */
const metrics = (output: string): Record<string, unknown>[] =>
  readFileSync(join(output, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => Object.fromEntries(Object.entries(JSON.parse(line)).filter(([key]) => !CLOCK.has(key))));

describe("dictlearn train", () => {
  it("writes what it promises, the same bytes every time, and none of it depends on logging", async () => {
    const [first, second, silent] = await Promise.all([
      run(),
      run(),
      run({ train: { ...tinyRun.train, log_steps: null, save_steps: null } }),
    ]);
    expect(readdirSync(first.output).sort()).toEqual(["ae.pt", "checkpoints", "config.json", "metrics.jsonl"]);
    expect(readdirSync(join(first.output, "checkpoints")).sort()).toEqual(["ae_0.pt", "ae_20.pt"]);
    expect(bytes(second.output, "ae.pt")).toBe(bytes(first.output, "ae.pt"));
    expect(bytes(silent.output, "ae.pt")).toBe(bytes(first.output, "ae.pt"));
    expect(metrics(second.output)).toEqual(metrics(first.output));
    expect(metrics(first.output)).toContainEqual(expect.objectContaining({ event: "refreshed" }));
    const config = JSON.parse(readFileSync(join(first.output, "config.json"), "utf8"));
    expect(config.trainer).toMatchObject({
      dict_class: "AutoEncoder",
      activation_dim: 32,
      dict_size: 64,
      layer: 1,
      steps: 40,
    });
    expect(config.buffer).toMatchObject({ d_submodule: 32, io: "out", refresh_batch_size: 8, out_batch_size: 64 });
    expect(first.stdout).toContain("Done: 40 steps on 2,560 tokens.");
  });

  it("writes an ae.pt that torch alone can read, with columns of norm 1", async () => {
    const { output } = await run();
    const script = `
import sys, torch
state = torch.load(sys.argv[1], weights_only=True)
assert list(state) == ["bias", "encoder.weight", "encoder.bias", "decoder.weight"], list(state)
print(float((state["decoder.weight"].norm(dim=0) - 1).abs().max()))`;
    const { stdout } = await execa(await python(), ["-c", script, join(output, "ae.pt")]);
    expect(Number(stdout)).toBeLessThan(1e-5);
  });

  it("trains several sites from one forward pass, each as if it were alone", async () => {
    const dictionaries = [
      { name: "residual", submodule: "gpt_neox.layers.0", dictionary_size: 64 },
      { name: "input", submodule: "gpt_neox.layers.1.mlp", io: "in", dictionary_size: 48 },
      { name: "stretcher", submodule: "gpt_neox.layers.1.mlp", io: "in_to_out", dictionary_size: 64, steps: 20 },
    ];
    const together = await run({ dictionaries });
    const alone = await Promise.all(dictionaries.map(async (each) => await run({ dictionaries: [each] })));
    for (const [index, { name }] of dictionaries.entries()) {
      expect(bytes(together.output, name, "ae.pt"), name).toBe(bytes(alone[index]?.output ?? "", "ae.pt"));
    }
  });

  it("serves every token of a short text and says that it ended", async () => {
    const { output, stdout } = await run({
      train: { ...tinyRun.train, steps: null, resample_steps: null, log_steps: null },
    });
    const finished = metrics(output).at(-1) as { reason: string; tokens_seen: number };
    const refreshed = metrics(output).filter((line) => (line as { event?: string }).event === "refreshed") as {
      rows: number;
    }[];
    expect(finished.reason).toBe("exhausted");
    expect(finished.tokens_seen).toBe(refreshed.reduce((sum, { rows }) => sum + rows, 0));
    expect(stdout).toContain("The text ended");
  });

  it("prints the resolved run and what it needs, and writes nothing, with --dry-run", async () => {
    const { output, stdout } = await run({}, ["--dry-run", "--json", "--train.steps", "50"]);
    const { run: resolved, estimate, flops } = JSON.parse(stdout);
    expect(resolved.train.steps).toBe(50);
    expect(estimate).toMatchObject({
      steps: 50,
      tokens: 3200,
      dictionaries: (64 * 65 + 32) * 4,
      buffer: 41 * 32 * 32 * 4,
    });
    // Up to the second MLP: two layers of 12 · 32² weights, and attention over 32 tokens.
    expect(flops).toMatchObject({
      model_per_token: 2 * (24 * 32 ** 2 + 4 * 32 * 32),
      dictionaries: 50 * 64 * 2 * (5 * 64 + 1) * 32,
    });
    expect(flops.total).toBe(flops.model_tokens * flops.model_per_token + flops.dictionaries);
    expect(existsSync(output)).toBe(false);
  });

  it("with --dry-run first says what is needed, and then that it is too much", async () => {
    const { file, output } = writeConfig(tinyRun);
    const { stdout, stderr, exitCode } = await dictlearn(["train", file, "--dry-run", "--buffer.n_ctxs", "1000000000"]);
    expect(stdout).toMatch(/\nmemory {8}[\d.]+ TB besides the model\n/);
    expect(stdout).toMatch(/\nFLOPs {9}\d\.\d\de\d+ \(\d\.\d\de\d+ of the model, [\d.e]+ for each of [\d,]+ tokens; /);
    expect(stderr).toContain("Lower buffer.n_ctxs.");
    expect(exitCode).toBe(1);
    expect(existsSync(output)).toBe(false);
  });

  it("takes --deterministic as the key of that name, before or behind the config", async () => {
    const { file } = writeConfig(tinyRun);
    for (const args of [
      ["train", "--deterministic", file, "--dry-run", "--json"],
      ["train", file, "--dry-run", "--json", "--deterministic"],
    ]) {
      const { stdout, stderr } = await dictlearn(args);
      expect(JSON.parse(stdout).run.deterministic, stderr).toBe(true);
    }
    expect(JSON.parse((await run({}, ["--dry-run", "--json"])).stdout).run.deterministic).toBe(false);
  });

  it("prints one JSON object per event with --json", async () => {
    const { stdout } = await run({}, ["--json"]);
    const events = stdout.split("\n").map((line) => JSON.parse(line));
    expect(events.at(-1)).toMatchObject({ type: "done", reason: "steps", steps: 40 });
    expect(events.filter(({ type }) => type === "metrics")).toHaveLength(40);
  });
});
