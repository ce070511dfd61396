import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig, loadRun, notices, parseConfig, requireAvailable, resolveRun } from "../../src/config/index.ts";
import { configJsonSchema } from "../../src/config/json-schema.ts";
import { RunConfig } from "../../src/config/schema.ts";
import { ConfigError } from "../../src/errors.ts";
import { path } from "../support.ts";

const least = { model: "m", data: "d", dictionaries: [{ submodule: "a.0", dictionary_size: 8 }] };

const failure = (run: () => unknown): ConfigError => {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("Expected a ConfigError.");
};

describe("the defaults", () => {
  it("are the ones of the contract", () => {
    const config = parseConfig(least);
    expect(config.seed).toBe(0);
    expect(config.dtype).toBe("float32");
    expect(config.data).toMatchObject({ path: "d", split: "train", text_field: "text" });
    expect(config.buffer).toMatchObject({
      n_ctxs: 30_000,
      ctx_len: 128,
      in_batch_size: 512,
      out_batch_size: 8192,
      refresh_below: 0.5,
      contexts: "pack",
      padding: "right",
    });
    expect(config.train).toMatchObject({
      steps: 100_000,
      lr: 3e-4,
      sparsity_penalty: 1e-3,
      reconstruction_loss: "mse",
      warmup_steps: 1000,
      resample_steps: 25_000,
      save_steps: 10_000,
      log_steps: 1000,
    });
    expect(resolveRun(config).dictionaries[0]).toMatchObject({ name: "a.0_out_8", io: "out", seed: 0 });
  });

  it("become the reference's under compat, where a given key wins", () => {
    const config = parseConfig({ ...least, compat: "ddac948", train: { reconstruction_loss: "mse" } });
    expect(config.random_streams).toBe("one");
    expect(config.buffer).toMatchObject({ contexts: "truncate", draws: "randperm-each", keep: "pad-token" });
    expect(config.train).toMatchObject({
      warmup_start: "zero",
      resample_encoder: "mean-alive",
      reconstruction_loss: "mse",
    });
  });

  it("read back to themselves", () => {
    const config = parseConfig({ ...least, compat: "ddac948", train: { steps: null } });
    expect(RunConfig.parse(JSON.parse(JSON.stringify(config)))).toEqual(config);
    expect(parseConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });

  it("lets an entry override the training of all", () => {
    const dictionaries = [
      { submodule: "a", dictionary_size: 8, lr: 0.1 },
      { submodule: "b", dictionary_size: 8 },
    ];
    const run = resolveRun(parseConfig({ ...least, train: { lr: 0.2 }, dictionaries }));
    expect(run.dictionaries.map(({ train }) => train.lr)).toEqual([0.1, 0.2]);
  });
});

/** Keys that `null` turns off. */
const NULLABLE = new Set(["model", "revision", "data", "data.name", "data.revision"]);

describe("overrides", () => {
  it.each([
    ["train.lr", "1e-3", (config: RunConfig) => config.train.lr, 1e-3],
    ["train.resample_steps", "null", (config: RunConfig) => config.train.resample_steps, null],
    ["dictionaries.0.dictionary_size", "4096", (config: RunConfig) => config.dictionaries[0]?.dictionary_size, 4096],
    ["output", "runs/1", (config: RunConfig) => config.output, "runs/1"],
    ["buffer.exclude_special_tokens", "true", (config: RunConfig) => config.buffer.exclude_special_tokens, true],
    ["data.split", "test", (config: RunConfig) => config.data?.split, "test"],
  ] as const)("--%s %s", (key, text, read, expected) => {
    expect(read(parseConfig(least, { overrides: { [key]: text } }))).toEqual(expected);
  });

  const texts = [
    "runs/out #2",
    "on",
    "1e3",
    "0x10",
    "[a]",
    "{a}",
    " leading space",
    "a: b",
    "~",
    "&a",
    "'q'",
    "- a",
    "!x",
  ];
  const textKeys = ["output", "model", "revision", "data", "data.path", "data.name", "data.split", "data.text_field"];
  it.each([...textKeys, "data.revision", "dictionaries.0.submodule"])("--%s is a text that no grammar reads", (key) => {
    for (const text of [...texts, ...(NULLABLE.has(key) ? [] : ["null"])]) {
      const config: unknown = parseConfig(least, { overrides: { [key]: text } });
      const at = (key === "data" ? "data.path" : key).split(".");
      expect(at.reduce((node, part) => (node as Record<string, unknown>)[part] as never, config)).toBe(text);
    }
  });

  it.each(["null", "on", "1e3", "0x10", "007"])("a dictionary may be called %s", (name) => {
    const { dictionaries } = parseConfig(least, { overrides: { "dictionaries.0.name": name } });
    expect(dictionaries[0]?.name).toBe(name);
  });

  it("a key inside a group that is switched off switches it on", () => {
    const off = { ...least, evaluation: null, data: null };
    const overrides = { "evaluation.contexts": "8", "data.path": "d" };
    expect(parseConfig(off, { overrides })).toMatchObject({ evaluation: { contexts: 8 }, data: { path: "d" } });
  });

  it("data is a text or a group of keys, and null is what switches a key off", () => {
    expect(parseConfig(least, { overrides: { data: "{path: x, split: y}" } }).data).toMatchObject({
      path: "x",
      split: "y",
    });
    expect(parseConfig(least, { overrides: { revision: "null", data: "null" } })).toMatchObject({
      revision: null,
      data: null,
    });
  });
});

describe("a mistake is one sentence", () => {
  it.each([
    ["an unknown key", { ...least, train: { learning_rate: 1 } }, {}, "train.learning_rate", "Did you mean train.lr?"],
    ["a slip", { ...least, train: { warmup_step: 1 } }, {}, "train.warmup_step", "Did you mean train.warmup_steps?"],
    ["a key at the wrong level", { ...least, lr: 1 }, {}, "lr", "Did you mean train.lr?"],
    ["an unknown override", least, { "trian.lr": "1" }, "--trian.lr", "Did you mean train.lr?"],
    [
      "a slip in an entry",
      { ...least, dictionaries: [{ submodule: "a", dictionary_sise: 1 }] },
      {},
      "dictionar",
      undefined,
    ],
    ["a wrong type", { ...least, train: { lr: "fast" } }, {}, 'train.lr to "fast", but allowed is a number', undefined],
    [
      "a text for a number",
      { ...least, train: { steps: "10" } },
      {},
      'train.steps to "10", but allowed is a number',
      undefined,
    ],
    [
      "a number out of range",
      { ...least, buffer: { n_ctxs: 0 } },
      {},
      "buffer.n_ctxs to 0, but allowed is a number of at least 1",
      undefined,
    ],
    [
      "a value that is not offered",
      { ...least, compat: "x" },
      {},
      'compat to "x", but allowed is "none", "ddac948"',
      undefined,
    ],
    ["no dictionaries", { model: "m", data: "d" }, {}, "lacks the key dictionaries", undefined],
    [
      "no size",
      { ...least, dictionaries: [{ submodule: "a" }] },
      {},
      "lacks the key dictionaries.0.dictionary_size",
      undefined,
    ],
    [
      "an entry that is not there",
      least,
      { "dictionaries.3.lr": "1" },
      "--dictionaries.3 names an entry that does not exist",
      undefined,
    ],
    ["a list", [], {}, "must be a group of keys", undefined],
    [
      "a wrong override, which is named as it was typed",
      least,
      { "train.lr": ".nan" },
      "--train.lr is .nan, but allowed is a number",
      undefined,
    ],
    ["an empty override", least, { output: "" }, "--output is empty, but allowed is a text", undefined],
    [
      "an override of no key",
      least,
      { "dictionaries.0.size": "3" },
      "--dictionaries.0.size is no key of the config",
      "dictionary_size",
    ],
    ["no number", { ...least, train: { lr: Number.NaN } }, {}, "train.lr to NaN, but allowed is a number", undefined],
  ])("%s", (_, config, overrides, sentence, hint) => {
    const error = failure(() => parseConfig(config, { overrides }));
    expect(error.message).toContain(sentence);
    expect(error.message).not.toContain("\n");
    if (hint !== undefined) expect(error.hint).toContain(hint);
    expect(error.exitCode).toBe(2);
  });

  it.each([
    ["no model", { data: "d", dictionaries: least.dictionaries }, "lacks the key model"],
    ["both sources", { ...least, activations: "x" }, "it is one or the other"],
    ["no submodule", { ...least, dictionaries: [{ dictionary_size: 8 }] }, "dictionaries.0.submodule"],
    [
      "one name twice",
      { ...least, dictionaries: [least.dictionaries[0], least.dictionaries[0]] },
      "Two dictionaries are called a.0_out_8",
    ],
    ["a batch larger than the buffer", { ...least, buffer: { n_ctxs: 1 } }, "holds only n_ctxs × ctx_len = 128 rows"],
    ["a decay after the end", { ...least, train: { steps: 10, decay_start: 10 } }, "the last step is 9"],
  ])("%s", (_, config, sentence) => {
    expect(failure(() => resolveRun(parseConfig(config))).message).toContain(sentence);
  });

  it.each(["gated", "top_k", "matryoshka"])(
    "a feature that is not there yet is named, never ignored: %s",
    (architecture) => {
      const run = resolveRun(parseConfig({ ...least, train: { architecture } }));
      expect(failure(() => requireAvailable(run)).message).toContain(`architecture to "${architecture}"`);
    },
  );

  it("names line and column of broken YAML, and a file that is not there", () => {
    const file = join(mkdtempSync(join(tmpdir(), "dictlearn-")), "bad.yaml");
    writeFileSync(file, "seed: 1\ntrain: {lr: 1\n");
    expect(failure(() => loadConfig(file)).message).toMatch(/not valid YAML at line \d+, column \d+/);
    writeFileSync(file, "seed: 1\nseed: 2\n");
    expect(failure(() => loadConfig(file)).message).toContain("Map keys must be unique");
    writeFileSync(file, "seed: 1\n---\nseed: 2\n");
    expect(failure(() => loadConfig(file)).message).toMatch(/column 1: Source contains multiple documents\.$/);
    expect(failure(() => loadConfig("nowhere.yaml")).message).toBe("There is no config file nowhere.yaml.");
    expect(failure(() => loadConfig(tmpdir())).message).toMatch(/could not be read: it is a folder\.$/);
  });
});

describe("keys that do not go together", () => {
  const file = join(mkdtempSync(join(tmpdir(), "dictlearn-")), "my.yaml");
  const cases: [string, object, Record<string, string>, string[], string][] = [
    [
      "a decay that begins after the last step",
      { train: { decay_start: 320 } },
      { "train.steps": "40" },
      [`train.decay_start is 320 (${file})`, "train.steps is 40 (command line)"],
      "Set train.decay_start to at most 39, or to null",
    ],
    [
      "the same in an entry",
      { dictionaries: [{ submodule: "a", dictionary_size: 8, decay_start: 100_000 }] },
      {},
      [`dictionaries.0.decay_start is 100000 (${file})`, "train.steps is 100000 (default)"],
      "Set dictionaries.0.decay_start to at most 99999, or to null",
    ],
    [
      "autocast of what is not float32",
      { autocast: "bfloat16" },
      { dtype: "float64" },
      [`autocast is bfloat16 (${file})`, "dtype is float64 (command line)"],
      "Set autocast to null, or dtype to float32",
    ],
    [
      "a batch larger than the buffer",
      { buffer: { n_ctxs: 2 } },
      {},
      ["buffer.out_batch_size is 8192 (default)", `: buffer.n_ctxs is 2 (${file}), buffer.ctx_len is 128 (default)`],
      "Set buffer.n_ctxs to at least 64, or buffer.out_batch_size to at most 256",
    ],
    [
      "both sources of rows",
      {},
      { activations: "rows.safetensors" },
      ["activations is rows.safetensors (command line)", `model is m (${file})`],
      "Set model and data to null",
    ],
    [
      "seeds with one random stream",
      { dictionaries: [least.dictionaries[0], { submodule: "b", dictionary_size: 8, seed: 4 }] },
      { random_streams: "one" },
      ["random_streams is one (command line)", `dictionaries.1.seed is 4 (${file})`],
      "Leave dictionaries.1.seed out, or set random_streams to separate",
    ],
    [
      "a limit of norms with two sites",
      { dictionaries: [least.dictionaries[0], { submodule: "b", dictionary_size: 8 }] },
      { "buffer.max_activation_norm_multiple": "10" },
      ["buffer.max_activation_norm_multiple is 10 (command line)", "the dictionaries read 2"],
      "Set buffer.max_activation_norm_multiple to null",
    ],
    [
      "one name twice",
      { dictionaries: [least.dictionaries[0], least.dictionaries[0]] },
      {},
      ["called a.0_out_8", "dictionaries.0.name", "dictionaries.1.name"],
      "dictionaries.1.name: a.0_out_8-1",
    ],
  ];
  it.each(cases)(
    "%s: each is named with its path, its value and where it is from",
    (_, more, overrides, says, hint) => {
      writeFileSync(file, JSON.stringify({ ...least, ...more }));
      const error = failure(() => loadRun(file, overrides));
      for (const words of says) expect(error.message).toContain(words);
      expect(error.hint).toContain(hint);
      expect(error.exitCode).toBe(2);
    },
  );
});

describe("the committed files", () => {
  it("configs/schema.json is what the schema says", () => {
    expect(readFileSync(path("configs/schema.json"), "utf8")).toBe(configJsonSchema());
  });

  it("configs/quickstart.yaml is valid", () => {
    expect(resolveRun(loadConfig(path("configs/quickstart.yaml"))).dictionaries).toHaveLength(1);
  });
});

describe("keys that do nothing", () => {
  const said = (input: object): string[] => notices(resolveRun(parseConfig(input)));
  const rows = { activations: "rows.safetensors", dictionaries: [{ dictionary_size: 8 }] };
  it.each([
    [least, []],
    [{ ...least, compat: "ddac948" }, []],
    [{ ...rows, buffer: { out_batch_size: 64 } }, []],
    [
      { ...rows, buffer: { n_ctxs: 8, ctx_len: 4 }, model_dtype: "float64" },
      [/^model_dtype, buffer\.n_ctxs, .* do nothing/],
    ],
    [
      { ...rows, evaluation: { contexts: 4 } },
      [/^evaluation\.contexts does nothing here, because the run trains on the/],
    ],
    [{ ...least, resume: "off", resume_every: "3m" }, [/^resume_every does nothing here, because resume is off\.$/]],
    [
      { ...least, train: { resample_steps: null, resample_rows: 9 } },
      [/^train\.resample_rows does .* resample_steps is null/],
    ],
    [{ ...least, buffer: { pad_token: "end-of-text" } }, [/^buffer\.pad_token does nothing here/]],
    [
      { ...least, data: { path: "d", evaluation_every: null }, evaluation: { contexts: 4 } },
      [/^evaluation\.contexts .* no text is reserved/],
    ],
  ])("are named: %j", (input, patterns) => {
    expect(said(input)).toEqual(patterns.map((each) => expect.stringMatching(each)));
  });
});
