import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OutputFolder } from "../../src/checkpoint/index.ts";
import { parseConfig, resolveRun } from "../../src/config/index.ts";
import { DictlearnError } from "../../src/errors.ts";
import { type RunEvent, runTraining } from "../../src/train/index.ts";
import { explainStop } from "../../src/train/outputs.ts";
import { Worker } from "../../src/worker/index.ts";
import { GOLDEN, TINY, temporaryFolder, tinyRun } from "../cli/support.ts";
import { outputs } from "../faults/outputs.ts";
import { python } from "../support.ts";

const home = temporaryFolder();
let worker: Worker;
beforeAll(async () => {
  worker = await Worker.start({ python: await python(), environment: { HOME: home } });
});
afterAll(async () => await worker.close());

const documents = readFileSync(join(GOLDEN, "texts.jsonl"), "utf8").split("\n").slice(0, 90);
const lines = (from = 0, to = documents.length): string => `${documents.slice(from, to).join("\n")}\n`;
const write = (path: string, content: string | Buffer): string => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
};

const settings = {
  ...tinyRun,
  resume: "exact",
  resume_every: 4,
  buffer: { n_ctxs: 8, ctx_len: 16, in_batch_size: 4, out_batch_size: 32 },
  train: { ...tinyRun.train, steps: 30, resample_steps: 12 },
};

interface Ended {
  readonly error: DictlearnError | undefined;
  readonly notices: readonly string[];
}

/** One life of a run: until the step after which it is stopped, its end, or its failure. */
const live = async (config: object, { stop = Infinity, resume = false } = {}): Promise<Ended> => {
  const notices: string[] = [];
  const controller = new AbortController();
  const observe = (event: RunEvent) => {
    if (event.type === "notice") notices.push(event.message);
    if (event.type === "step" && event.step >= stop) controller.abort();
  };
  try {
    const { signal } = controller;
    await runTraining(resolveRun(parseConfig(config)), worker, { observe, signal, resume });
    return { error: undefined, notices };
  } catch (error) {
    if (!(error instanceof DictlearnError)) throw error;
    return { error, notices };
  }
};

/** The results of an undisturbed run. */
const undisturbed = async (config: object): Promise<Record<string, string>> => {
  const output = join(temporaryFolder(), "run");
  expect((await live({ ...config, output })).error).toBeUndefined();
  return withoutResumes(output);
};

/** The metrics record that a run was resumed. */
const withoutResumes = (output: string): Record<string, string> => {
  const found = outputs(output);
  expect(Object.keys(found)).toContain("ae.pt");
  return { ...found, "metrics.jsonl": (found["metrics.jsonl"] ?? "").replace(/^\{"event":"resumed".*\n/gm, "") };
};

interface Change {
  readonly what: string;
  /** Writes the text below a folder and returns the config's keys. */
  readonly begin: (folder: string) => object;
  readonly change: (folder: string) => void;
  /** The config's keys from then on; by default the previous ones. */
  readonly now?: (folder: string) => object;
  /** The run's reports on resume: a failure, or notices. */
  readonly refuses?: RegExp;
  readonly notices?: readonly RegExp[];
}

const single = (folder: string) => ({ data: write(join(folder, "t.jsonl"), lines()) });
const several = (folder: string) => {
  write(join(folder, "ds", "b.jsonl"), lines(0, 20));
  write(join(folder, "ds", "c.jsonl"), lines(20));
  return { data: join(folder, "ds") };
};
const linked = (folder: string) => {
  const blob = write(join(folder, "blobs", "x"), lines());
  mkdirSync(join(folder, "snapshots", "abc"), { recursive: true });
  mkdirSync(join(folder, "real"));
  symlinkSync(blob, join(folder, "real", "texts.jsonl"));
  symlinkSync("../../real", join(folder, "snapshots", "abc", "data"));
  // A cycle of folders is visited once.
  symlinkSync("../snapshots/abc/data", join(folder, "real", "again"));
  return { data: join(folder, "snapshots", "abc") };
};
const linkedModel = (folder: string) => {
  cpSync(TINY, join(folder, "blobs"), { recursive: true });
  mkdirSync(join(folder, "model"));
  for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
    symlinkSync(`../blobs/${name}`, join(folder, "model", name));
  }
  return { ...single(folder), model: join(folder, "model") };
};
const first = `${JSON.stringify({ text: "another first document" })}\n`;
const rest = /What the run has not read yet was changed since it was started, in \S+/;
const changed = /The input file \S+ was changed since the run was started/;

const changes: Change[] = [
  { what: "nothing", begin: single, change: () => {}, notices: [] },
  {
    what: "a text that grows",
    begin: single,
    change: (folder) => appendFileSync(join(folder, "t.jsonl"), first),
    notices: [rest],
  },
  {
    what: "a text that shrinks at its end",
    begin: single,
    change: (folder) => write(join(folder, "t.jsonl"), lines(0, 70)),
    notices: [rest],
  },
  {
    what: "lines that end otherwise, so that every document is at other bytes",
    begin: single,
    change: (folder) => write(join(folder, "t.jsonl"), lines().replaceAll("\n", "\r\n\r\n")),
    notices: [rest],
  },
  {
    what: "a text that shrinks to less than was read",
    begin: single,
    change: (folder) => write(join(folder, "t.jsonl"), lines(0, 3)),
    refuses: changed,
  },
  {
    what: "a first document that is another one",
    begin: single,
    change: (folder) => write(join(folder, "t.jsonl"), first + lines(1)),
    refuses: /was changed since the run was started\. The \d+ documents that the run has read of it are not the same/,
  },
  {
    what: "a text in the home folder",
    begin: () => {
      write(join(home, "t.jsonl"), lines());
      return { data: "~/t.jsonl" };
    },
    change: () => write(join(home, "t.jsonl"), documents.toReversed().join("\n")),
    refuses: changed,
  },
  {
    what: "a text behind links",
    begin: linked,
    change: (folder) => write(join(folder, "blobs", "x"), first + lines(1)),
    refuses: /snapshots\/abc\/data\/texts\.jsonl was changed since/,
  },
  { what: "nothing behind links", begin: linked, change: () => {}, notices: [] },
  {
    what: "a model behind links",
    begin: linkedModel,
    change: (folder) => appendFileSync(join(folder, "blobs", "config.json"), "\n"),
    refuses: /model\/config\.json was changed since/,
  },
  {
    what: "a model that has a new file",
    begin: linkedModel,
    change: (folder) => write(join(folder, "model", "adapter.json"), "{}"),
    refuses: /model\/adapter\.json is new/,
  },
  {
    what: "a new file that comes first",
    begin: several,
    change: (folder) => write(join(folder, "ds", "a.jsonl"), first),
    refuses: /ds\/a\.jsonl is new, and comes before b\.jsonl, which the run has read\./,
  },
  {
    what: "a new file that comes last",
    begin: several,
    change: (folder) => write(join(folder, "ds", "d.jsonl"), first),
    notices: [/in \S+d\.jsonl;/],
  },
  {
    what: "a file that was read and is gone",
    begin: several,
    change: (folder) => rmSync(join(folder, "ds", "b.jsonl")),
    refuses: /The input file b\.jsonl is not there any more, and the run has read \d+ documents of it\./,
  },
  {
    what: "a text and a model that were moved",
    begin: linkedModel,
    change: (folder) => {
      renameSync(join(folder, "t.jsonl"), join(folder, "moved é.jsonl"));
      renameSync(join(folder, "model"), join(folder, "moved model"));
    },
    now: (folder) => ({ data: join(folder, "moved é.jsonl"), model: join(folder, "moved model") }),
    notices: [],
  },
  {
    what: "another path with another text",
    begin: single,
    change: (folder) => write(join(folder, "other.jsonl"), first + lines(1)),
    now: (folder) => ({ data: join(folder, "other.jsonl") }),
    refuses: /other\.jsonl was changed since/,
  },
  {
    what: "no evaluation any more, which no training depends on",
    begin: (folder) => ({ ...single(folder), evaluation: { contexts: 2 } }),
    change: () => {},
    now: () => ({ evaluation: null }),
    notices: [],
  },
  {
    what: "a text that is shuffled and grows",
    begin: (folder) => ({ data: { path: single(folder).data, shuffle_buffer: 10, skip: 3 } }),
    change: (folder) => appendFileSync(join(folder, "t.jsonl"), first),
    notices: [rest],
  },
];

describe("a run whose input was changed while it was stopped", () => {
  it.each(changes)("$what", async ({ begin, change, now, refuses, notices }) => {
    const folder = temporaryFolder();
    const config = { ...settings, output: join(folder, "run"), ...begin(folder) };
    expect((await live(config, { stop: 9 })).error).toBeUndefined();
    change(folder);
    const again = { ...config, ...now?.(folder) };
    const ended = await live(again, { resume: true });
    if (refuses !== undefined) {
      expect(ended.error?.message).toMatch(refuses);
      expect(ended.error?.hint).toMatch(
        /^(Put it back|Move (it|the new file) away).*, or start again in another folder\.$/,
      );
      return;
    }
    expect(ended.error).toBeUndefined();
    expect(ended.notices).toEqual((notices ?? []).map((each) => expect.stringMatching(each)));
    expect(withoutResumes(config.output)).toEqual(await undisturbed(again));
    const written = JSON.parse(readFileSync(join(config.output, "config.json"), "utf8"));
    expect(written.run.data.path).toBe(resolveRun(parseConfig(again)).config.data?.path);
  });
});

interface Broken {
  readonly what: string;
  readonly name: string;
  readonly broken: string | Buffer;
  readonly mended: string | Buffer;
  readonly says: RegExp;
}

const few = lines(0, 32);
const [start, end] = [lines(0, 22), lines(22, 32)];
const cases: Broken[] = [
  {
    what: "a line that is no JSON",
    name: "a.jsonl",
    broken: `${start}{"text": "cut off\n${end}`,
    mended: few,
    says: /^Line 23 of .+a\.jsonl/,
  },
  {
    what: "a record without the field",
    name: "b.jsonl",
    broken: `${start}{"body": "one"}\n${end}`,
    mended: few,
    says: /no field 'text' in line 23/,
  },
  {
    what: "a line in another encoding",
    name: "c.txt",
    broken: Buffer.concat([Buffer.from(start), Buffer.from([0xe9, 10]), Buffer.from(end)]),
    mended: `${start}é\n${end}`,
    says: /^Line 23 of .+c\.txt is not UTF-8/,
  },
  {
    what: "a gzip file that is cut off",
    name: "d.jsonl.gz",
    broken: gzipSync(few, { level: 0 }).subarray(0, start.length),
    mended: gzipSync(few, { level: 9 }),
    says: /damaged or cut off/,
  },
];

describe("a run that its input stopped", () => {
  it.each(cases)("goes on exactly when it is mended: $what", async ({ name, broken, mended, says }) => {
    const folder = join(temporaryFolder(), "my texts");
    const data = write(join(folder, name), broken);
    const train = { ...settings.train, steps: null, resample_steps: null };
    const config = { ...settings, train, data, output: join(folder, "run é") };
    const { error } = await live(config);
    expect(error?.message).toMatch(says);
    expect(error?.hint).toMatch(/Then continue with `dictlearn train --resume '\S+\/my texts\/run é'`\.$/);
    expect(error?.hint).not.toMatch(/text_field/);
    expect(existsSync(join(config.output, "ae.pt"))).toBe(false);
    expect(readdirSync(join(config.output, "resume"))).toContainEqual(expect.stringMatching(/^step-/));
    write(data, mended);
    const ended = await live(config, { resume: true });
    expect(ended.error).toBeUndefined();
    expect(ended.notices).toEqual([expect.stringMatching(/What the run has not read yet was changed/)]);
    expect(withoutResumes(config.output)).toEqual(await undisturbed(config));
  });
});

describe("an evaluation at the end of a run", () => {
  it("that fails leaves a run that is done, and says how it is evaluated", async () => {
    const folder = join(temporaryFolder(), "my texts");
    const data = { path: write(join(folder, "t.jsonl"), `${lines(0, 40)}{"text": "cut off\n`), evaluation_every: 2 };
    const evaluation = { contexts: 300, alive_tokens: 32, frequency_tokens: 32 };
    const config = {
      ...settings,
      data,
      evaluation,
      train: { ...settings.train, steps: 3 },
      output: join(folder, "run"),
    };
    const { error } = await live(config);
    expect(error?.message).toMatch(
      /^The run is done, but its evaluation failed: Line 41 of .*t\.jsonl is not valid JSON/,
    );
    expect(error?.hint).toMatch(/The weights are saved; `dictlearn evaluate '\S+\/my texts\/run'` evaluates them\.$/);
    expect(readdirSync(config.output)).toEqual(expect.arrayContaining(["ae.pt"]));
    expect(existsSync(join(config.output, "resume"))).toBe(false);
  });
});

describe("what is said of a run that stopped", () => {
  const output = { path: "runs/my run", resume: { exists: true } } as OutputFolder;
  const command = "`dictlearn train --resume 'runs/my run'`";
  const hintOf = (code: string, hint?: string, evaluating = false) =>
    (explainStop(new DictlearnError("It failed.", { code, hint }), output, { evaluating }) as DictlearnError).hint;

  it("can be followed: a run keeps its config, so no key of it is changed first", () => {
    expect(hintOf("broken_file", "Copy it again.")).toBe(`Copy it again. Then continue with ${command}.`);
    expect(hintOf("missing_field", "Set data.text_field to body.")).toBe(
      `Write that field into the record, or remove the record. Then continue with ${command}.`,
    );
    expect(hintOf("out_of_memory", "Lower buffer.n_ctxs.")).toBe(
      `Continue with ${command}. If that fails again, start another run: Lower buffer.n_ctxs.`,
    );
    expect(hintOf("worker_died", undefined, true)).toBe(
      `Continue with ${command}. The training is done: add \`--evaluation null\` to end the run without evaluation.`,
    );
    for (const code of ["changed_input", "damaged_state", "non_finite_rows", "config"]) {
      expect(hintOf(code, "As it is.")).toBe("As it is.");
    }
  });
});
