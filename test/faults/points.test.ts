import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { temporaryFolder, writeConfig } from "../cli/support.ts";
import { path } from "../support.ts";
import { Life, type RunLine } from "./life.ts";
import { outputs, undisturbed } from "./outputs.ts";
import { cachedRun, liveRun } from "./runs.ts";

// Each test starts the program several times.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

const config = { ...liveRun, train: { ...liveRun.train, steps: 45, resample_steps: 20 } };
const hooks = path("test/faults/hooks");

interface Rename {
  readonly what: string;
  readonly name: string;
  readonly nth: number;
  readonly victim: "node" | "worker" | "manifest";
}

const renames: Rename[] = [
  { what: "a checkpoint", name: "ae_\\d+\\.pt", nth: 2, victim: "worker" },
  { what: "a checkpoint", name: "ae_\\d+\\.pt", nth: 3, victim: "node" },
  { what: "ae.pt", name: "ae\\.pt", nth: 1, victim: "node" },
  { what: "a state's tensors", name: "state\\.safetensors", nth: 2, victim: "worker" },
  { what: "a state's tensors", name: "state\\.safetensors", nth: 3, victim: "node" },
  { what: "a state's manifest", name: "manifest\\.json", nth: 2, victim: "manifest" },
  { what: "the run's record", name: "run\\.json", nth: 1, victim: "manifest" },
];

describe("a kill between the temporary file and the rename", () => {
  let expected: Record<string, string>;
  beforeAll(async () => {
    expected = await undisturbed(cachedRun);
  });

  it.each(renames)("of $what, by the death of $victim", async ({ name, nth, victim }) => {
    const marker = join(temporaryFolder(), "happened");
    const env = {
      DICTLEARN_FAULT: JSON.stringify({ name, nth, victim, marker }),
      PYTHONPATH: hooks,
      NODE_OPTIONS: `--import ${pathToFileURL(join(hooks, "kill-node.mjs")).href}`,
    };
    const { file, output } = writeConfig(cachedRun);
    const first = await (await Life.start([file], undefined, { env })).end();
    expect(existsSync(marker), first.stderr).toBe(true);
    if (victim === "worker") expect(first.code, first.stderr).toBe(0);
    else {
      expect(first.signal).toBe("SIGKILL");
      const args = name === "run\\.json" ? [file] : ["--resume", output];
      const second = await (await Life.start(args)).end();
      expect(second.code, second.stderr).toBe(0);
    }
    expect(outputs(output)).toEqual(expected);
  });
});

describe("a kill at a chosen event", () => {
  let expected: Record<string, string>;
  beforeAll(async () => {
    expected = await undisturbed(config);
  });

  const nth = (count: number, matches: (line: RunLine) => boolean) => {
    let seen = 0;
    return (line: RunLine) => matches(line) && ++seen === count;
  };
  const cases: [string, "node" | "worker", () => (line: RunLine) => boolean][] = [
    ["in the first refresh", "worker", () => nth(2, ({ type }) => type === "filling")],
    ["in the first refresh", "node", () => nth(2, ({ type }) => type === "filling")],
    ["in a later refresh", "worker", () => nth(9, ({ type }) => type === "filling")],
    ["at a resampling", "worker", () => nth(1, ({ type }) => type === "resampled")],
    ["at the last step", "node", () => nth(1, ({ type, step }) => type === "step" && step === 45)],
  ];
  it.each(cases)("%s, of %s", async (_, victim, point) => {
    const { file, output } = writeConfig(config);
    const isPoint = point();
    const first = await (await Life.start([file], (line, life) => isPoint(line) && life.kill(victim))).end();
    if (first.code !== 0) {
      const second = await (await Life.start(["--resume", output])).end();
      expect(second.code, second.stderr).toBe(0);
    }
    expect(outputs(output)).toEqual(expected);
  });

  it("in a restart, and again in the next one", async () => {
    const { file, output } = writeConfig(config);
    const isPoint = nth(1, ({ step = 0, type }) => type === "step" && step > 20);
    let workers = 0;
    const life = await Life.start([file], (line, each) => {
      if (line.type === "worker") workers += 1;
      if (isPoint(line) || (line.type === "worker" && (workers === 2 || workers === 3))) each.kill("worker");
    });
    const end = await life.end();
    expect(end.code, end.stderr).toBe(0);
    expect(workers).toBe(4);
    expect(outputs(output)).toEqual(expected);
  });
});
