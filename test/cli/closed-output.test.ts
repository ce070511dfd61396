import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { path, python } from "../support.ts";
import { tinyRun, writeConfig } from "./support.ts";

/** Starts the command with `stdout` as its standard output. */
const start = async (args: readonly string[], stdout: "pipe" | number) => {
  const child = spawn(process.execPath, ["--import", "tsx", path("src/cli/main.ts"), ...args], {
    stdio: ["ignore", stdout, "pipe"],
    env: { ...process.env, DICTLEARN_PYTHON: await python(), OMP_NUM_THREADS: "1" },
  });
  let stderr = "";
  child.stderr?.on("data", (data: Buffer) => {
    stderr += data.toString();
  });
  return { child, said: () => stderr };
};

describe("output that nobody takes", () => {
  it("stops a run as Ctrl-C does when its reader is gone, with a state to go on from", async () => {
    const { file, output } = writeConfig({
      ...tinyRun,
      resume: "exact",
      train: { ...tinyRun.train, steps: null, resample_steps: null, log_steps: 1 },
    });
    const { child, said } = await start(["train", file, "--json"], "pipe");
    // Like `| head`.
    child.stdout?.on("data", (data: Buffer) => {
      if (data.toString().includes('"type":"metrics"')) child.stdout?.destroy();
    });
    const [code] = await once(child, "close");
    expect(said()).not.toMatch(/EPIPE|^\s+at /m);
    expect(code, said()).toBe(130);
    expect(existsSync(join(output, "resume"))).toBe(true);
  });

  it.runIf(existsSync("/dev/full"))("is an error when the disk of a file is full", async () => {
    const { child, said } = await start(["doctor"], openSync("/dev/full", "w"));
    const [code] = await once(child, "close");
    expect(said()).toContain("dictlearn: What is printed could not be written: the disk is full.\n");
    expect(code).toBe(1);
  });
});
