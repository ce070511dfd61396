import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { bytecodeVariables } from "../src/environment/index.ts";
import type { RunEvent } from "../src/train/events.ts";
import { Worker } from "../src/worker/index.ts";
import { spread, type Table } from "./table.ts";

const REPETITIONS = 5;
const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** The quickstart, with a buffer of 1,024 rows, one step, and no evaluation. */
const SMALL = {
  "buffer.n_ctxs": 8,
  "buffer.in_batch_size": 8,
  "train.steps": 1,
  "train.log_steps": 1,
  "train.warmup_steps": 1,
  "train.decay_start": "null",
  "train.save_steps": "null",
  evaluation: "null",
  resume: "off",
};
/** The event of the command that ends each stage of the run. */
const STAGES = [
  ["npx dictlearn train … until the worker is up", ({ type }: RunEvent) => type === "worker"],
  ["… until the model is loaded, and the text opened", ({ type }: RunEvent) => type === "filling"],
  ["… until the buffer is full", ({ type }: RunEvent) => type === "refreshed"],
  ["… until the first step is taken and measured", ({ type }: RunEvent) => type === "metrics"],
] as const;
const IMPORTS = `
import time
start = time.perf_counter()
import torch
torch_is_there = time.perf_counter()
import transformers, nnsight
print(torch_is_there - start, time.perf_counter() - torch_is_there)`;

/** From the command to the first step, from warm files; and the time of its single parts. */
export const benchStartUp = async (python: string): Promise<Table> => {
  const parts = new Map<string, number[]>();
  const add = (name: string, seconds: number) => parts.set(name, [...(parts.get(name) ?? []), seconds]);
  // The first round warms the file cache.
  for (let repetition = 0; repetition <= REPETITIONS; repetition++) {
    const found = [...(await timeRun()), ...(await timeParts(python))];
    if (repetition > 0) for (const [name, seconds] of found) add(name, seconds);
  }
  return {
    title: `From the command to the first step: the quickstart with a buffer of 1 024 rows, s (medians of ${REPETITIONS}, and their range)`,
    columns: ["what", "s"],
    rows: [...parts].map(([name, seconds]) => [name, spread(seconds)]),
  };
};

type Timed = readonly [name: string, seconds: number];

/** Seconds from the command to the end of each stage. */
const timeRun = async (): Promise<Timed[]> => {
  const folder = mkdtempSync(join(tmpdir(), "dictlearn-bench-"));
  try {
    const overrides = Object.entries(SMALL).flatMap(([key, value]) => [`--${key}`, String(value)]);
    const args = ["dictlearn", "train", "--json", "--output", join(folder, "run"), ...overrides];
    const start = performance.now();
    const found: Timed[] = [];
    for await (const line of execa("npx", args, { cwd: ROOT, stderr: "inherit" })) {
      const event = JSON.parse(String(line)) as RunEvent;
      const stage = STAGES[found.length];
      if (stage?.[1](event)) found.push([stage[0], (performance.now() - start) / 1000]);
    }
    if (found.length < STAGES.length) throw new Error("The run ended before its first step.");
    return found;
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const timeParts = async (python: string): Promise<Timed[]> => {
  const timed = async (name: string, run: () => Promise<unknown>): Promise<Timed> => {
    const start = performance.now();
    await run();
    return [name, (performance.now() - start) / 1000];
  };
  const found = [
    await timed("Node alone", async () => await execa("node", ["-e", "0"])),
    await timed("dictlearn --version", async () => await execa("node", [MAIN, "--version"])),
    await timed("npx dictlearn --version", async () => await execa("npx", ["dictlearn", "--version"], { cwd: ROOT })),
    await timed("a worker, up and closed again", async () => await (await Worker.start({ python })).close()),
  ];
  const { stdout } = await execa(python, ["-c", IMPORTS], { env: bytecodeVariables(python) });
  const [torch = Number.NaN, others = Number.NaN] = stdout.split(" ").map(Number);
  return [...found, ["import torch", torch], ["import transformers and nnsight after it", others]];
};
