import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { alive, path, python } from "../support.ts";
import { tinyRun, writeConfig } from "./support.ts";

interface Long {
  readonly child: ChildProcess;
  /** The run's folder. */
  readonly output: string;
  /** The pid of its Python. */
  readonly worker: number;
  /** The output so far, in pieces; of standard output, only since training began. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
}

/** Starts a long run and waits until it trains. */
const startLong = async (): Promise<Long> => {
  const { file, output } = writeConfig({
    ...tinyRun,
    train: { steps: null, save_steps: null, log_steps: 1, resample_steps: null },
    dictionaries: [{ submodule: "gpt_neox.layers.1.mlp", dictionary_size: 16_384 }],
  });
  const child = spawn(process.execPath, ["--import", "tsx", path("src/cli/main.ts"), "train", file, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, DICTLEARN_PYTHON: await python(), OMP_NUM_THREADS: "1" },
  });
  const stderr: string[] = [];
  child.stderr?.on("data", (data: Buffer) => stderr.push(data.toString()));
  let worker = 0;
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const event: { type: string; pid?: number } = JSON.parse(line);
    if (event.type === "worker") worker = event.pid ?? 0;
    if (event.type === "metrics") break;
  }
  const stdout: string[] = [];
  child.stdout?.on("data", (data: Buffer) => stdout.push(data.toString())).resume();
  expect(worker).toBeGreaterThan(0);
  return { child, output, worker, stdout, stderr };
};

/** Waits for a condition; false if it does not hold after `seconds`. */
const within = async (seconds: number, condition: () => boolean): Promise<boolean> => {
  const end = performance.now() + seconds * 1000;
  while (!condition() && performance.now() < end) await sleep(50);
  return condition();
};

describe("stopping a run", () => {
  it("saves a checkpoint and ends cleanly at the first Ctrl-C", async () => {
    const { child, output, worker } = await startLong();
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    expect(code).toBe(130);
    expect(await within(1, () => !alive(worker))).toBe(true);
    expect(readdirSync(join(output, "checkpoints"))).toHaveLength(1);
    expect(existsSync(join(output, "ae.pt"))).toBe(false);
  });

  it("ends at the second without waiting for the worker", async () => {
    const { child, output, worker, stdout } = await startLong();
    const ended = once(child, "exit");
    // Calls in flight never finish.
    process.kill(worker, "SIGSTOP");
    child.kill("SIGINT");
    expect(await within(20, () => stdout.join("").includes("Press Ctrl-C again"))).toBe(true);
    const started = performance.now();
    child.kill("SIGINT");
    const [code] = await ended;
    expect(code).toBe(130);
    expect(performance.now() - started).toBeLessThan(3000);
    expect(await within(1, () => !alive(worker))).toBe(true);
    expect(readdirSync(join(output, "checkpoints"))).toEqual([]);
  });

  it("leaves no Python process two seconds after Node was killed", async () => {
    const { child, worker } = await startLong();
    child.kill("SIGKILL");
    expect(await within(2, () => !alive(worker))).toBe(true);
  });

  it("gives one clear error within a second when the worker is killed", async () => {
    const { child, worker, stderr } = await startLong();
    const started = performance.now();
    process.kill(worker, "SIGKILL");
    const [code] = await once(child, "exit");
    expect(performance.now() - started).toBeLessThan(1000);
    expect(code).toBe(1);
    expect(stderr.join("")).toMatch(
      /^dictlearn: The Python worker ended unexpectedly by signal SIGKILL during train\.\w+/m,
    );
  });
});
