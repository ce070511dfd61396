import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { ResumeFolder } from "../../src/checkpoint/index.ts";
import { dictlearn, GOLDEN, temporaryFolder, writeConfig } from "../cli/support.ts";
import { Life, type RunLine, SECRET } from "./life.ts";
import { outputs, undisturbed } from "./outputs.ts";
import { liveRun } from "./runs.ts";
import { SmallDisk } from "./small-disk.ts";

// Each test starts the program several times.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

const config = liveRun;
/** Checkpoints and states large enough to fill a small disk. */
const large = {
  ...config,
  resume_every: 20,
  train: { ...config.train, save_steps: 7 },
  dictionaries: [{ submodule: "gpt_neox.layers.1.mlp", dictionary_size: 1024 }],
};
let expected: Record<string, string>;

beforeAll(async () => {
  expected = await undisturbed(config);
});

const resumed = async (output: string): Promise<readonly RunLine[]> => {
  for (const name of readdirSync(output, { recursive: true }) as string[]) {
    const path = join(output, name);
    if (statSync(path).isFile()) expect(readFileSync(path).includes(SECRET), path).toBe(false);
  }
  const { code, stderr, lines } = await (await Life.start(["--resume", output])).end();
  expect(code, stderr).toBe(0);
  return lines;
};

/** Runs until the first matching event, then acts on it. */
const disturb = async (file: string, at: (line: RunLine) => boolean, act: (life: Life) => void) => {
  let done = false;
  const life = await Life.start([file], (line, each) => {
    if (done || !at(line)) return;
    done = true;
    act(each);
  });
  const end = await life.end();
  expect(done, end.stderr).toBe(true);
  return end;
};

const afterStep = (step: number) => (line: RunLine) => line.type === "step" && (line.step ?? 0) >= step;

describe("Ctrl-C", () => {
  let refreshes = 0;
  const moments: [string, (line: RunLine) => boolean][] = [
    ["after a few steps", afterStep(3)],
    ["in the middle", afterStep(31)],
    ["in a refresh", ({ type }) => type === "filling" && ++refreshes === 7],
  ];
  it.each(moments)("%s: the run goes on from exactly there", async (_, moment) => {
    const { file, output } = writeConfig(config);
    const { code, lines } = await disturb(file, moment, (life) => life.kill("node", "SIGINT"));
    expect(code).toBe(130);
    const step = Math.max(...lines.map((line) => (line.type === "step" ? (line.step ?? 0) : 0)));
    const again = await dictlearn(["train", file]);
    expect(again.exitCode).toBe(2);
    expect(again.stderr).toMatch(/holds a run that is not finished\.\n.*dictlearn train --resume \S+run/);
    expect(await resumed(output)).toContainEqual({ type: "resumed", step, exact: true });
    expect(outputs(output)).toEqual(expected);
    expect((await dictlearn(["train", "--resume", output])).stdout).toMatch(/is done; nothing is left to do/);
    const longer = await dictlearn(["train", "--resume", output, "--train.steps", "1000"]);
    expect(longer.stderr).toMatch(/^dictlearn: The run in \S+ is done, so --train\.steps changes nothing\.\n/);
    expect(longer.exitCode).toBe(2);
  });
});

it("several dictionaries, of which one is done already, go on together", async () => {
  const several = {
    ...config,
    dictionaries: [
      { name: "short", submodule: "gpt_neox.layers.0", dictionary_size: 48, steps: 20, normalize_activations: true },
      { name: "long", submodule: "gpt_neox.layers.1.mlp", io: "in_to_out", dictionary_size: 64 },
    ],
  };
  const { file, output } = writeConfig(several);
  const { code } = await disturb(file, afterStep(40), (life) => life.kill("node", "SIGINT"));
  expect(code).toBe(130);
  await resumed(output);
  const whole = writeConfig(several);
  const end = await (await Life.start([whole.file])).end();
  expect(end.code, end.stderr).toBe(0);
  expect(outputs(output)).toEqual(outputs(whole.output));
});

describe("a worker", () => {
  it("that hangs is replaced", async () => {
    const { file, output } = writeConfig({ ...config, worker_timeout: 2 });
    const { code, lines, stderr } = await disturb(file, afterStep(20), (life) => life.kill("worker", "SIGSTOP"));
    expect(code, stderr).toBe(0);
    const notice = lines.find(({ type }) => type === "notice")?.message;
    expect(notice).toMatch(/The Python worker gave no sign of life for 2 s during .* Another one is started/);
    expect(outputs(output)).toEqual(expected);
  });

  it("that dies again and again is given up, and the run can still be resumed", async () => {
    const { file, output } = writeConfig(config);
    const life = await Life.start([file], (line, each) => {
      if (line.type === "step") each.kill("worker");
    });
    const { code, lines, stderr } = await life.end();
    expect(code).toBe(1);
    expect(stderr).toMatch(/ended unexpectedly by signal SIGKILL.* It was restarted 3 times\.\n.*--resume/);
    expect(lines.filter(({ type }) => type === "worker")).toHaveLength(4);
    await resumed(output);
    expect(outputs(output)).toEqual(expected);
  });
});

describe("a disk", () => {
  it("that is full in the middle of a checkpoint stops the run, which goes on when there is room", async () => {
    const whole = await undisturbed(large);
    using disk = new SmallDisk(16);
    const { file, output } = writeConfig(disk.available ? { ...large, output: join(disk.path, "run") } : large);
    const folder = disk.available ? join(disk.path, "run") : output;
    const onLine = (line: RunLine) => {
      if (line.type === "kept" && line.step === 20) disk.fill(100_000);
    };
    // If nothing can be mounted, files are limited to 128 KiB instead.
    const options = disk.available ? {} : { shell: 'ulimit -f 256; exec "$@"' };
    const { code, stderr } = await (await Life.start([file], onLine, options)).end();
    expect(code).toBe(1);
    // The disk fills up during the run: the next file, whichever it is, has no space.
    expect(stderr).toMatch(
      /^dictlearn: \S+(ae_\d+\.pt|resume\/step-\d+\/\S+) could not be written: .+\.\n {2}Make room .*--resume/,
    );
    const before = await new ResumeFolder(folder).read();
    expect(before.damage).toEqual([]);
    if (disk.available) {
      expect(before.last?.state.step).toBeGreaterThanOrEqual(20);
      expect((before.last?.state.step ?? Number.NaN) % large.resume_every).toBe(0);
      disk.makeRoom();
    }
    await resumed(folder);
    expect(outputs(folder)).toEqual(whole);
  });

  it("that cannot be written is said at once, and the run goes on when it can", async () => {
    using disk = new SmallDisk(16);
    const { file, output } = writeConfig(disk.available ? { ...config, output: join(disk.path, "run") } : config);
    const folder = disk.available ? join(disk.path, "run") : output;
    const { code } = await disturb(file, afterStep(10), (life) => life.kill("node", "SIGINT"));
    expect(code).toBe(130);
    // Root may write to any folder, but not to a read-only disk.
    if (disk.available) disk.readOnly();
    else chmodSync(folder, 0o500);
    const { exitCode, stderr } = await dictlearn(["train", "--resume", folder]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /^dictlearn: \S+ could not be written: (the file system is read-only|permission denied)\.$/m,
    );
    if (disk.available) disk.writable();
    else chmodSync(folder, 0o700);
    await resumed(folder);
    expect(outputs(folder)).toEqual(expected);
  });
});

describe("another run", () => {
  it("in the same folder is refused, and told whose it is; a dead one's lock is taken over", async () => {
    const { file, output } = writeConfig(config);
    let second: ReturnType<typeof dictlearn> | undefined;
    const first = await Life.start([file], (line, each) => {
      if (!afterStep(10)(line) || second !== undefined) return;
      // It waits, so that it is still running when the other one starts.
      each.kill("node", "SIGSTOP");
      second = dictlearn(["train", "--resume", output]);
      void second.then(() => each.kill("node"));
    });
    await first.end();
    const { exitCode, stderr } = (await second) ?? {};
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/Another run is writing into the output folder/);
    expect(stderr).toContain(`(process ${readOwner(output)} on ${hostname()})`);
    await resumed(output);
    expect(outputs(output)).toEqual(expected);
  });
});

const readOwner = (output: string): number => JSON.parse(readFileSync(join(output, ".lock.json"), "utf8")).pid;

describe("the input", () => {
  const begin = async () => {
    const data = join(temporaryFolder(), "texts.jsonl");
    copyFileSync(join(GOLDEN, "texts.jsonl"), data);
    const { file, output } = writeConfig({ ...config, data });
    const { code } = await disturb(file, afterStep(20), (life) => life.kill("node", "SIGINT"));
    expect(code).toBe(130);
    return { data, output };
  };

  it("that was changed or has vanished is refused, and nothing is touched", async () => {
    const { data, output } = await begin();
    const before = new Set(readdirSync(output, { recursive: true }) as string[]);
    writeFileSync(data, `{"text": "one more"}\n${readFileSync(data, "utf8")}`);
    const changed = await dictlearn(["train", "--resume", output]);
    expect(changed.exitCode).toBe(2);
    expect(changed.stderr).toMatch(/The input file \S+texts\.jsonl was changed since the run was started\./);
    rmSync(data);
    const gone = await dictlearn(["train", "--resume", output]);
    expect(gone.stderr).toMatch(/no file or folder|is not there any more/);
    expect(gone.exitCode).toBe(2);
    expect(new Set(readdirSync(output, { recursive: true }) as string[])).toEqual(before);
    copyFileSync(join(GOLDEN, "texts.jsonl"), data);
    await resumed(output);
    expect(outputs(output)).toEqual(expected);
  });
});

describe("what --resume does not do", () => {
  const cases: [string, (output: string) => string[], RegExp, number][] = [
    ["another config", (output) => ["--resume", output, "--train.lr", "1e-2"], /begun with another train\.lr/, 2],
    ["a config file", (output) => ["my.yaml", "--resume", output], /my\.yaml has no place/, 2],
    ["no folder", () => ["--resume", "/nowhere/run"], /no folder \/nowhere\/run/, 2],
    ["a folder that is no run", () => ["--resume", temporaryFolder()], /holds no run/, 2],
  ];
  it("is said in one sentence", async () => {
    const { file, output } = writeConfig(config);
    await disturb(file, afterStep(10), (life) => life.kill("node", "SIGINT"));
    for (const [name, args, says, code] of cases) {
      const { exitCode, stderr } = await dictlearn(["train", ...args(output)]);
      expect(stderr, name).toMatch(says);
      expect(exitCode, name).toBe(code);
    }
    // Keys that do not affect the training may change; the config's key `resume` keeps its name.
    const free = await dictlearn(["train", "--resume", output, "--resume_every", "50"]);
    expect(free.exitCode, free.stderr).toBe(0);
    expect(outputs(output)).toEqual(expected);
    expect(existsSync(join(output, "resume"))).toBe(false);
  });

  it("light keeps no rows, says so, and goes on with fresh text", async () => {
    const { file, output } = writeConfig({ ...config, resume: "light" });
    const { lines } = await disturb(file, afterStep(20), (life) => life.kill("node", "SIGINT"));
    expect(lines.find(({ type }) => type === "notice")?.message).toMatch(/light keeps no rows/);
    const step = (await new ResumeFolder(output).read()).last?.state.step;
    expect(await resumed(output)).toContainEqual({ type: "resumed", step, exact: false });
    const metrics = readFileSync(join(output, "metrics.jsonl"), "utf8");
    expect(metrics).toContain(`{"event":"resumed","step":${step}}`);
    expect(metrics).toMatch(/"event":"finished","reason":"steps","step":109/);
  });
});
