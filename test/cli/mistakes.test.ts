import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { python } from "../support.ts";
import { dictlearn, GOLDEN, temporaryFolder, tinyRun, writeConfig } from "./support.ts";

interface Mistake {
  readonly name: string;
  readonly config?: object;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly exitCode: 1 | 2;
  readonly says: RegExp;
  /** Text that the hint must contain. */
  readonly hint?: RegExp;
}

const folder = temporaryFolder();
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const malformed = file("malformed.jsonl", '{"text": "one"}\n{"text": "two"\n');
const otherField = file("other.jsonl", '{"body": "one"}\n');
const blank = file("blank.txt", "\n   \n");
const dangling = join(folder, "dangling");
symlinkSync(join(folder, "nowhere", "at", "all"), dangling);
const shell = (name: string, text: string): string => {
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return join(folder, name);
};
const oldPython = shell("old-python", `echo '{"version": [3, 8, 1], "missing": []}'`);
const brokenPython = shell("broken-python", `echo '{"version": [3, 12, 1], "missing": ["torch", "nnsight"]}'`);
const mlp = { submodule: "gpt_neox.layers.1.mlp", dictionary_size: 64 };

const mistakes: Mistake[] = [
  {
    name: "an unknown key",
    args: ["--train.learning_rate", "1"],
    exitCode: 2,
    says: /train\.learning_rate/,
    hint: /train\.lr/,
  },
  {
    name: "a wrong type",
    args: ["--train.lr", "fast"],
    exitCode: 2,
    says: /--train\.lr is fast, but allowed is a number/,
  },
  {
    name: "an unknown submodule",
    config: { dictionaries: [{ ...mlp, submodule: "gpt_neox.layer.1.mlp" }] },
    exitCode: 2,
    says: /no submodule 'gpt_neox\.layer\.1\.mlp'/,
    hint: /gpt_neox\.layers\.1\.mlp/,
  },
  { name: "an unknown model folder", config: { model: "./no/model" }, exitCode: 2, says: /no folder \.\/no\/model/ },
  { name: "an unreachable hub", config: { model: "no/model" }, exitCode: 1, says: /hub cannot be reached/ },
  {
    name: "a missing text file",
    config: { data: "nowhere.jsonl" },
    exitCode: 2,
    says: /no file or folder nowhere\.jsonl/,
  },
  {
    name: "a revision of a file",
    config: { data: { path: blank, revision: "main" } },
    exitCode: 2,
    says: /data\.revision is "main", but \S+blank\.txt is on this machine's disk/,
    hint: /Leave data\.revision out/,
  },
  {
    name: "a revision of a model's folder",
    config: { revision: "main" },
    exitCode: 2,
    says: /revision is 'main', but \S+tiny-neox is no model of the hub/,
    hint: /Leave revision out/,
  },
  { name: "text without a token", config: { data: blank }, exitCode: 2, says: /no token in it/ },
  { name: "a malformed line", config: { data: malformed }, exitCode: 2, says: /Line 2 of .*malformed\.jsonl/ },
  { name: "a missing field", config: { data: otherField }, exitCode: 2, says: /no field 'text'/, hint: /body/ },
  { name: "a context too long", args: ["--buffer.ctx_len", "4096"], exitCode: 2, says: /ctx_len is 4096.*at most 128/ },
  { name: "a device that is not there", args: ["--device", "cuda:7"], exitCode: 2, says: /cuda:7 is not there/ },
  { name: "a second config", args: ["other.yaml"], exitCode: 2, says: /other\.yaml/ },
  {
    name: "an output below a file",
    args: ["--output", join(blank, "run")],
    exitCode: 2,
    says: /run cannot be made, because \S+blank\.txt is a file/,
  },
  {
    name: "an output below /proc, which is no disk",
    args: ["--output", "/proc/nowhere/run"],
    exitCode: 2,
    says: /\/proc\/nowhere\/run cannot be made, because \/proc is no disk/,
  },
  {
    name: "an output that is a link to nothing",
    args: ["--output", dangling],
    exitCode: 2,
    says: /because \S+dangling is a link that leads nowhere/,
  },
  {
    name: "a cache below /proc",
    env: { DICTLEARN_CACHE: "/proc/nowhere", DICTLEARN_PYTHON: "" },
    exitCode: 2,
    says: /The cache folder cannot be used: \S+ cannot be made, because \/proc is no disk/,
    hint: /DICTLEARN_CACHE/,
  },
  {
    name: "a model that is a file",
    config: { model: blank },
    exitCode: 2,
    says: /blank\.txt is a file, and no \.gguf/,
  },
  {
    name: "a run that cannot fit",
    args: ["--buffer.n_ctxs", "2000000000"],
    exitCode: 1,
    says: /needs .* of memory/,
    hint: /buffer\.n_ctxs/,
  },
  { name: "no Python", args: ["--python", "/nowhere/python"], exitCode: 2, says: /\/nowhere\/python/ },
  {
    name: "a wrong Python version",
    args: ["--python", oldPython],
    exitCode: 2,
    says: /old-python is Python 3\.8\.1, but the worker needs 3\.11 to 3\.14/,
  },
  {
    name: "a broken environment",
    args: ["--python", brokenPython],
    exitCode: 2,
    says: /broken-python lacks torch and nnsight/,
    hint: /pip install -r/,
  },
];

describe("a mistake is one sentence, without a traceback and without an output folder", () => {
  it.each(mistakes)("$name", async ({ config = {}, args = [], env = {}, exitCode, says, hint }) => {
    const { file: path, output } = writeConfig({ ...tinyRun, ...config });
    const result = await dictlearn(["train", path, ...args], env);
    const lines = result.stderr.split("\n");
    const sentence = lines.find((line) => line.startsWith("dictlearn: ")) ?? "";
    expect(sentence, result.stderr).toMatch(says);
    if (hint !== undefined) expect(lines.at(-1)).toMatch(hint);
    expect(result.exitCode, result.stderr).toBe(exitCode);
    expect(result.stderr).not.toMatch(/Traceback|^\s+at /m);
    expect(existsSync(output)).toBe(false);
  });

  it.each([
    [["trian"], "There is no command trian.", "Did you mean train?"],
    [["evaluate", "runs/a", "--contextz", "3"], "evaluate has no option --contextz.", "Did you mean --contexts?"],
    [["convert", "runs/a"], "One argument is missing: dictlearn convert <source> <destination>.", "convert --help"],
    [["convert", "a", "b"], "dictlearn convert needs --to.", "Say which format"],
    [["evaluate", "runs/a", "--io", "up"], '--io is "up", but allowed is "out", "in", "in_to_out".', "--help"],
    [["help", "nosuch"], "There is no command nosuch.", "dictlearn --help"],
    [["help", "trian"], "There is no command trian.", "Did you mean train?"],
    [["nosuch", "--help"], "There is no command nosuch.", "dictlearn --help"],
    [["train", "--dry-rum"], "dictlearn train has no option --dry-rum.", "Did you mean --dry-run?"],
    [["train", "--overwite"], "dictlearn train has no option --overwite.", "Did you mean --overwrite?"],
    [["bench", "--jsonn"], "dictlearn bench has no option --jsonn.", "Did you mean --json?"],
    [["train", "-x"], "dictlearn train has no option -x.", "train --help"],
    [["train", "--output", "--json"], "--output needs a value after it.", ""],
    [["train", "a.yaml", "--", "b.yaml"], "dictlearn train has no place for b.yaml.", "train --help"],
    [["train", "--", "--overwrite"], "dictlearn train has no place for --overwrite.", "--help"],
    [["inspect", "-"], "dictlearn inspect has no place for -, standard input.", "--help"],
    [["download", "--layers"], "--layers needs a value after it.", "download --help"],
    [["train", "nowhere.yaml"], "There is no config file nowhere.yaml.", "dictlearn init my.yaml"],
    [["init", "a.yaml", "--from", "slowstart"], "There is no config slowstart to copy.", "quickstart"],
    [["evaluate", "runs/a", "--data"], "--data needs a value after it.", "evaluate --help"],
    [["train", "a.yaml", "b.yaml"], "dictlearn train has no place for b.yaml.", "train --help"],
  ])("a command that cannot be: %j", async (args, sentence, hint) => {
    // In any locale: messages are English, never half translated.
    const { exitCode, stdout, stderr } = await dictlearn(args, { LC_ALL: "de_DE.UTF-8" });
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr.split("\n")[0]).toBe(`dictlearn: ${sentence.replace(/^evaluate/, "dictlearn evaluate")}`);
    expect(stderr.split("\n")[1] ?? "").toContain(hint);
  });

  it("an output folder that holds files, which stay as they are", async () => {
    const { file: path, output } = writeConfig(tinyRun);
    mkdirSync(output);
    writeFileSync(join(output, "ae.pt"), "precious");
    const { exitCode, stderr } = await dictlearn(["train", path]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/already holds files \(ae\.pt\)/);
    expect(readdirSync(output)).toEqual(["ae.pt"]);
  });
});

describe("cached activations", () => {
  const make = async (name: string, code: string): Promise<string> => {
    const target = join(folder, name);
    const script = `import sys, torch\nfrom safetensors.torch import save_file\nsave_file(${code}, sys.argv[1])`;
    await execa(await python(), ["-c", script, target]);
    return target;
  };

  const cases: [string, () => Promise<string>, string, RegExp][] = [
    ["no file", async () => "nowhere.safetensors", "out", /no activations file/],
    ["not a safetensors file", async () => malformed, "out", /not a safetensors file/],
    [
      "NaN",
      async () => await make("nan.safetensors", '{"inputs": torch.full((4, 8, 16), float("nan"))}'),
      "out",
      /not finite.*batch 0, row 0/,
    ],
    [
      "no inputs",
      async () => await make("none.safetensors", '{"rows": torch.zeros(4, 16)}'),
      "out",
      /no tensor named inputs/,
    ],
    [
      "targets of another length",
      async () => await make("short.safetensors", '{"inputs": torch.ones(8, 16), "targets": torch.ones(7, 16)}'),
      "in_to_out",
      /does not go with inputs/,
    ],
    ["no targets", async () => join(GOLDEN, "train/standard-f32.safetensors"), "in_to_out", /has no targets/],
    [
      "targets that nobody asked for",
      async () => join(GOLDEN, "train/stretcher-f64.safetensors"),
      "out",
      /has targets/,
    ],
  ];

  it.each(cases)("%s", async (_, activations, io, says) => {
    const { file: path, output } = writeConfig({
      activations: await activations(),
      train: { steps: 4 },
      dictionaries: [{ dictionary_size: 8, io }],
    });
    const { exitCode, stderr } = await dictlearn(["train", path]);
    expect(stderr).toMatch(says);
    expect(exitCode).toBe(2);
    expect(existsSync(output)).toBe(false);
  });
});
