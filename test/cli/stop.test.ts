import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { path, python } from "../support.ts";
import { tinyRun, writeConfig } from "./support.ts";

/** Starts a long run and waits until it trains. */
const startLong = async (): Promise<{ child: ChildProcess; output: string; worker: number; stderr: string[] }> => {
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
  child.stdout?.resume();
  expect(worker).toBeGreaterThan(0);
  return { child, output, worker, stderr };
};

/** Whether a process still runs; one that is dead and only waits to be counted does not. */
const alive = (pid: number): boolean =>
  /^[^Z]/.test(
    spawnSync("ps", ["-o", "stat=", "-p", String(pid)])
      .stdout.toString()
      .trim(),
  );

/** Waits until a process is gone; false after `seconds`. */
const goneWithin = async (pid: number, seconds: number): Promise<boolean> => {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    if (!alive(pid)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return !alive(pid);
};

describe("stopping a run", () => {
  it("saves a checkpoint and ends cleanly at the first Ctrl-C", async () => {
    const { child, output, worker } = await startLong();
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    expect(code).toBe(130);
    expect(await goneWithin(worker, 1)).toBe(true);
    expect(readdirSync(join(output, "checkpoints"))).toHaveLength(1);
    expect(existsSync(join(output, "ae.pt"))).toBe(false);
  });

  it("ends at once at the second", async () => {
    const { child, worker } = await startLong();
    child.kill("SIGINT");
    child.kill("SIGINT");
    const ended = once(child, "exit");
    const started = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGINT");
    const [code] = await ended;
    expect(code).toBe(130);
    expect(performance.now() - started).toBeLessThan(3000);
    expect(await goneWithin(worker, 1)).toBe(true);
  });

  it("leaves no Python process two seconds after Node was killed", async () => {
    const { child, worker } = await startLong();
    child.kill("SIGKILL");
    expect(await goneWithin(worker, 2)).toBe(true);
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
