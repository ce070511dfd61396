import { existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { makeDictionaries } from "../evaluate/support.ts";
import { dictlearn, GOLDEN, TINY, temporaryFolder, tinyRun, writeConfig } from "./support.ts";

const TEXTS = join(GOLDEN, "texts.jsonl");

const json = (...parts: string[]) => JSON.parse(readFileSync(join(...parts), "utf8"));

const train = async (over: object = {}) => {
  const { file, output } = writeConfig({ ...tinyRun, evaluation: {}, ...over });
  const result = await dictlearn(["train", file]);
  expect(result.exitCode, result.stderr).toBe(0);
  return { output, stdout: result.stdout, stderr: result.stderr };
};

describe("dictlearn evaluate", () => {
  const dictionaries = [
    { name: "mlp", submodule: "gpt_neox.layers.1.mlp", dictionary_size: 64 },
    { name: "stretcher", submodule: "gpt_neox.layers.1.mlp", io: "in_to_out", dictionary_size: 48 },
  ];
  let run: Awaited<ReturnType<typeof train>>;
  beforeAll(async () => {
    run = await train({ dictionaries });
  });

  it("is what a run ends with, on text it was not trained on, and changes no weight", async () => {
    expect(run.stdout).toMatch(/on text it was not trained on: loss recovered [-\d.]+ % · L0 [\d.]+/);
    const evaluation = json(run.output, "mlp", "evaluation.json");
    expect(evaluation).toMatchObject({ model: TINY, submodule: "gpt_neox.layers.1.mlp", io: "out", reserved: true });
    // 400 documents, 8 of them reserved.
    expect(evaluation.tokens).toBeLessThan(1000);
    expect(evaluation.statistics.loss_recovered_zero.interval).toHaveLength(2);
    const without = await train({ dictionaries, evaluation: null });
    expect(existsSync(join(without.output, "mlp", "evaluation.json"))).toBe(false);
    for (const { name } of dictionaries) {
      const weights = readFileSync(join(run.output, name, "ae.pt"));
      expect(readFileSync(join(without.output, name, "ae.pt")).equals(weights)).toBe(true);
    }
    const everything = await train({ dictionaries, data: { path: TEXTS, evaluation_every: null } });
    expect(everything.stderr).toContain("no text is reserved");
  });

  it("gives the same again, as a table and as JSON, and writes it beside each dictionary", async () => {
    const before = json(run.output, "mlp", "evaluation.json");
    const plot = [join(run.output, "frequencies.svg"), join(run.output, "frequencies.png")];
    const table = await dictlearn([
      "evaluate",
      run.output,
      "--contexts",
      "32",
      "--plot",
      plot[0] ?? "",
      "--plot",
      plot[1] ?? "",
    ]);
    expect(table.exitCode, table.stderr).toBe(0);
    expect(table.stdout).toMatch(/dictionary +MSE +RMSE +L1 +L0 +alive +explained +recovered\nmlp /);
    expect(table.stdout).toContain("stretcher");
    expect(table.stdout).toContain("1e-5──");
    expect(json(run.output, "mlp", "evaluation.json")).toEqual(before);
    const svg = readFileSync(plot[0] ?? "", "utf8");
    expect(svg).toMatch(/^<svg/);
    expect(svg).toContain("stretcher");
    expect(
      readFileSync(plot[1] ?? "")
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
    const { stdout } = await dictlearn(["evaluate", join(run.output, "mlp", "ae.pt"), "--contexts", "32", "--json"]);
    const { evaluations } = JSON.parse(stdout);
    expect(evaluations).toHaveLength(1);
    expect(evaluations[0]).toMatchObject({ name: "mlp", ...before });
  });

  it("evaluates a checkpoint", async () => {
    const checkpoint = join(run.output, "mlp", "checkpoints", "ae_20.pt");
    const first = await dictlearn(["evaluate", checkpoint, "--contexts", "8"]);
    expect(first.exitCode, first.stderr).toBe(0);
    expect(first.stdout).toMatch(/loss recovered, of zero ablation +[-\d.]+ % +[-\d.]+ % to [-\d.]+ %/);
    expect(readdirSync(join(run.output, "mlp", "checkpoints"))).toContain("ae_20.evaluation.json");
  });

  it("evaluates a dictionary without a config on a model and text that are named", async () => {
    const { identity } = await makeDictionaries({ identity: ["identity", 32, 0] });
    const options = ["--model", TINY, "--submodule", "gpt_neox.layers.0", "--data", TEXTS, "--ctx-len", "32"];
    const elsewhere = await dictlearn(["evaluate", identity, ...options, "--contexts", "8", "--json"]);
    expect(elsewhere.exitCode, elsewhere.stderr).toBe(0);
    const [evaluation] = JSON.parse(elsewhere.stdout).evaluations;
    expect(evaluation.statistics.loss_recovered_zero.value).toBe(1);
    expect(evaluation.reserved).toBe(false);
  });

  const evaluationOf = (name: string) => readFileSync(join(run.output, name, "evaluation.json"), "utf8");

  it("replaces statistics with the run's own settings only, byte for byte, and writes others to --output", async () => {
    const before = [evaluationOf("mlp"), evaluationOf("stretcher")];
    const same = await dictlearn(["evaluate", run.output, "--batch-size", "8"]);
    expect(same.exitCode, same.stderr).toBe(0);
    expect([evaluationOf("mlp"), evaluationOf("stretcher")]).toEqual(before);
    const other = ["--data", TEXTS, "--contexts", "2"];
    const noPython = { DICTLEARN_PYTHON: "/no/python" };
    const refused = await dictlearn(["evaluate", run.output, ...other], noPython);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(
      /mlp\/evaluation\.json has other statistics and is not replaced: .*reserved is true/,
    );
    expect(refused.stderr).toContain("with --output FILE");
    const own = await dictlearn(
      ["evaluate", run.output, ...other, "--output", join(run.output, "mlp", "evaluation.json")],
      noPython,
    );
    expect(own.stderr).toContain("which is for the statistics of mlp's own run");
    // One dictionary named in four ways is measured once.
    const link = join(temporaryFolder(), "link");
    symlinkSync(join(run.output, "mlp"), link);
    const output = join(run.output, "other.json");
    const paths = [join(run.output, "mlp"), `${run.output}/./mlp/`, join(run.output, "mlp", "ae.pt"), link];
    const written = await dictlearn(["evaluate", ...paths, ...other, "--output", output]);
    expect(written.exitCode, written.stderr).toBe(0);
    expect(written.stdout).toContain("on 2 contexts of");
    expect(json(output).evaluations).toMatchObject([{ name: "mlp", contexts: 2, reserved: false, data: TEXTS }]);
    expect([evaluationOf("mlp"), evaluationOf("stretcher")]).toEqual(before);
  });

  it("gives the reference's numbers under its own names", async () => {
    const compat = await dictlearn([
      "evaluate",
      join(run.output, "mlp"),
      "--compat",
      "ddac948",
      "--contexts",
      "8",
      "--json",
      "--output",
      join(run.output, "compat.json"),
    ]);
    expect(compat.exitCode, compat.stderr).toBe(0);
    const [{ reference, statistics }] = JSON.parse(compat.stdout).evaluations;
    expect(reference.mse_loss).toBe(statistics.root_mean_square_error.value);
    // One batch of the buffer.
    expect(statistics.l0.tokens).toBe(tinyRun.buffer.out_batch_size);
  });

  it.each([
    ["a path that is not there", ["nowhere"], /There is no file or folder nowhere\./, 2],
    ["a folder without a dictionary", [temporaryFolder()], /holds no dictionary/, 2],
    ["a number that is none", ["x", "--contexts", "many"], /--contexts is many, but must be a whole number/, 2],
    ["a plot of another kind", ["x", "--plot", "a.gif"], /must end in \.svg or \.png/, 2],
  ])("says what is wrong with %s", async (_, args, message, code) => {
    const { exitCode, stderr } = await dictlearn(["evaluate", ...args]);
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(code);
    expect(stderr).not.toContain("    at ");
  });

  it("says so when a dictionary has no config, and when its run kept no text back", async () => {
    const { identity } = await makeDictionaries({ identity: ["identity", 32, 0] });
    const bare = await dictlearn(["evaluate", identity]);
    expect(bare.exitCode).toBe(2);
    expect(bare.stderr).toContain("no config.json that names its model");
    expect(bare.stderr).toContain("--model, --submodule and --data PATH");
    const all = await train({ data: { path: TEXTS, evaluation_every: null }, evaluation: null });
    const trained = await dictlearn(["evaluate", all.output]);
    expect(trained.exitCode).toBe(2);
    expect(trained.stderr).toContain("was trained on all of its text");
    expect(trained.stderr).toContain("--data PATH");
  });
});
