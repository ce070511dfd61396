import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/index.ts";
import { hasOwn, isOwn, requireReplaceable } from "../../src/evaluate/own-statistics.ts";
import { type EvaluationChoices, planEvaluation } from "../../src/evaluate/plan.ts";
import { subjectOf } from "../../src/evaluate/subject.ts";
import { type DictionaryOnDisk, dictionariesAt, dictionariesIn } from "../../src/evaluate/targets.ts";
import { temporaryFolder, tinyRun } from "../cli/support.ts";

const OWN = { contexts: 16, alive_tokens: 512, frequency_tokens: 1024 };
const BARE = { model: "m", submodule: "layers.1", data: "t.txt" } as const;

/** A dictionary of a run, or one without a config, next to the output of an evaluation with these choices. */
const dictionary = (kind: "run" | "bare", measured: EvaluationChoices, read: Partial<typeof OWN> = {}) => {
  const folder = join(temporaryFolder(), kind);
  mkdirSync(folder);
  writeFileSync(join(folder, "ae.pt"), "");
  const config = {
    trainer: { submodule_name: "gpt_neox.layers.1.mlp" },
    buffer: { io: "out", ctx_len: 32 },
    run: parseConfig({ ...tinyRun, evaluation: OWN }),
  };
  if (kind === "run") writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const [on] = dictionariesAt(folder) as [DictionaryOnDisk];
  const plan = planEvaluation(on, measured);
  const { contexts = 0, aliveTokens = 0, frequencyTokens = 0 } = plan.options;
  const file = {
    ...subjectOf(plan, null),
    dictionary_size: 4,
    contexts: read.contexts ?? contexts,
    tokens: 0,
    statistics: { alive: { value: 1, interval: null, tokens: read.alive_tokens ?? aliveTokens } },
    frequencies: {
      tokens: read.frequency_tokens ?? frequencyTokens,
      features: 4,
      edges: [],
      counts: [],
      dead: 0,
      always_on: 0,
    },
  };
  writeFileSync(join(folder, "evaluation.json"), JSON.stringify(file));
  return on;
};

describe("an evaluation.json", () => {
  it.each<[string, EvaluationChoices, EvaluationChoices]>([
    ["by the run's own settings", {}, {}],
    ["by the run's own settings, spelled out", {}, { ...OWN, model: tinyRun.model, ctx_len: 32, seed: 0, io: "out" }],
    ["with fewer contexts at once", {}, { batch_size: 2 }],
    ["by the run's own where it has others", { data: tinyRun.data, contexts: 2 }, {}],
    ["by the same others", { data: tinyRun.data, contexts: 2 }, { data: tinyRun.data, contexts: 2 }],
  ])("of a run is written again %s", (_, measured, now) => {
    expect(() => requireReplaceable(dictionary("run", measured), now)).not.toThrow();
  });

  it.each<[EvaluationChoices, RegExp]>([
    [{ data: tinyRun.data }, /reserved is true there, not false/],
    [{ data: "other.txt" }, /data is .*texts\.jsonl there, not other\.txt/],
    [{ contexts: 2 }, /contexts are 16 there, not 2/],
    [{ contexts: 128 }, /contexts are 16 there, not 128/],
    [{ alive_tokens: 8 }, /tokens for alive features are 512 there, not 8/],
    [{ frequency_tokens: 8 }, /tokens for frequencies are 1024 there, not 8/],
    [{ seed: 1 }, /seed is 0 there, not 1/],
    [{ compat: "ddac948" }, /compat is none there, not ddac948/],
    [{ ctx_len: 16 }, /ctx_len is 32 there, not 16/],
    [{ model: "other" }, /model is .*tiny-neox there, not other/],
    [{ revision: "step1" }, /revision is not given there, not step1/],
    [{ model_dtype: "float64" }, /model_dtype is not given there, not float64/],
    [
      { submodule: "gpt_neox.layers.0" },
      /place is gpt_neox\.layers\.1\.mlp \(out\) there, not gpt_neox\.layers\.0 \(out\)/,
    ],
    [{ io: "in" }, /place is .*\(out\) there, not .*\(in\)/],
    [{ activations: "rows.safetensors" }, /data is .* there, not rows\.safetensors/],
  ])("of a run is not replaced with %j", (now, says) => {
    expect(() => requireReplaceable(dictionary("run", {}), now)).toThrow(says);
    // Without existing statistics nothing is replaced; but they would not be the run's own.
    const on = { ...dictionary("run", {}), evaluation: "/no/evaluation.json" };
    expect(() => requireReplaceable(on, now)).not.toThrow();
    expect(isOwn(on, planEvaluation(on, now))).toBe(false);
  });

  it("takes amounts that the text ends before for all of it", () => {
    const short = dictionary("run", {}, { contexts: 9, alive_tokens: 288, frequency_tokens: 288 });
    for (const now of [{ contexts: 10 }, { alive_tokens: 300 }]) {
      expect(() => requireReplaceable(short, now)).not.toThrow();
    }
    expect(() => requireReplaceable(short, { contexts: 8 })).toThrow(/contexts are 9 there, not 8/);
  });

  it("of a dictionary without a run is written again with the same options alone", () => {
    const on = dictionary("bare", BARE);
    expect(hasOwn(on)).toBe(false);
    expect(() => requireReplaceable(on, BARE)).not.toThrow();
    expect(() => requireReplaceable(on, { ...BARE, contexts: 2 })).toThrow(/contexts are 128 there, not 2/);
    expect(() => requireReplaceable(on, { ...BARE, skip: 3 })).toThrow(/skip is 0 there, not 3/);
    expect(() => requireReplaceable(on, { ...BARE, submodule: "layers.2" })).toThrow(
      /place is layers\.1 \(out\) there/,
    );
  });

  it("of a run of ddac948 is of its own sampling, unless it ends with an evaluation of reserved text", () => {
    const compatOf = (over: object) => {
      const config = parseConfig({ ...tinyRun, compat: "ddac948", ...over });
      return planEvaluation({ name: "x", configPath: "", config: { run: config, origin: { submodule: "a" } } }, {})
        .options.compat;
    };
    expect(compatOf({})).toBe("ddac948");
    expect(compatOf({ evaluation: {}, data: { path: "t.txt", evaluation_every: 50 } })).toBe("none");
  });
});

describe("options that would change nothing", () => {
  it.each<[EvaluationChoices, RegExp]>([
    [{ skip: 3 }, /--skip says how other text is read, but none is named/],
    [{ text_field: "body" }, /--text-field says how/],
    [{ split: "test" }, /--split says how/],
    [{ n_ctxs: 10 }, /--buffer-contexts is for the reference's sampling/],
  ])("%j are mistakes", (choices, says) => {
    expect(() => planEvaluation(dictionary("run", {}), choices)).toThrow(says);
  });
});

describe("dictionariesIn", () => {
  it("names each dictionary once, however it is reached", () => {
    const { weights } = dictionary("bare", BARE);
    const folder = join(weights, "..");
    expect(dictionariesIn([folder, `${folder}/./`, weights, join(folder, "..")])).toHaveLength(1);
  });
});
