import { createHash, randomFillSync } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { ResumeFolder, type ResumeState, type RunRecord } from "../../src/checkpoint/index.ts";
import { parseConfig } from "../../src/config/index.ts";
import { DictlearnError } from "../../src/errors.ts";
import { seeded } from "../faults/random.ts";
import { rejection } from "../support.ts";

const run: RunRecord = {
  config: parseConfig({ activations: "rows.safetensors", dictionaries: [{ dictionary_size: 8 }] }),
  inputs: [{ of: "activations", name: "", path: "rows.safetensors", bytes: 12, sha256: "0".repeat(64) }],
  versions: { dictlearn: "0.1.0" },
  device: "cpu",
  threads: 1,
};

const stateAfter = (step: number): Omit<ResumeState, "file"> => ({
  run,
  kind: "exact",
  step,
  tokens: step * 32,
  source: { kind: "cached", batch: step },
  trainees: [{ name: "sae", resampledAt: null, scale: 1, metrics: 100 * step }],
});

/** Commits a state whose tensors are noise of this size, as the worker would write it. */
const commit = async (folder: ResumeFolder, step: number, bytes = 20_000): Promise<void> => {
  const tensors = randomFillSync(Buffer.alloc(bytes));
  writeFileSync(folder.prepare(step), tensors);
  await folder.commit(stateAfter(step), { bytes, sha256: createHash("sha256").update(tensors).digest("hex") });
};

const newFolder = (): ResumeFolder => new ResumeFolder(mkdtempSync(join(tmpdir(), "dictlearn-test-")));

const filesOf = (folder: string): string[] =>
  (readdirSync(folder, { recursive: true }) as string[]).filter((entry) => statSync(join(folder, entry)).isFile());

describe("the folder of resume states", () => {
  it("is nothing at first, then a run at its beginning, then its last state", async () => {
    const folder = newFolder();
    expect(folder.exists).toBe(false);
    await folder.begin(run);
    expect(await folder.read()).toEqual({ run, last: undefined, damage: [] });
    await commit(folder, 10);
    expect((await folder.read()).last?.state).toMatchObject(stateAfter(10));
  });

  it("keeps two states", async () => {
    const folder = newFolder();
    await folder.begin(run);
    for (const step of [10, 20, 30]) await commit(folder, step);
    expect(readdirSync(folder.path).sort()).toEqual(["run.json", "step-20", "step-30"]);
    folder.remove();
    expect(existsSync(folder.path)).toBe(false);
  });

  it("does not see a state whose manifest was not written", async () => {
    const folder = newFolder();
    await folder.begin(run);
    await commit(folder, 10);
    writeFileSync(folder.prepare(20), "half a state");
    const { last, damage } = await folder.read();
    expect(last?.state.step).toBe(10);
    expect(damage).toEqual([]);
  });

  it("does not take another state's files, or another program's", async () => {
    const folder = newFolder();
    await folder.begin(run);
    await commit(folder, 10);
    await commit(folder, 20);
    copyFileSync(join(folder.path, "step-10/manifest.json"), join(folder.path, "step-20/manifest.json"));
    expect(await folder.read()).toMatchObject({ last: { state: { step: 10 } }, damage: [/step 10/] });
    writeFileSync(join(folder.path, "step-20/manifest.json"), '{"version": 3, "weights": []}');
    expect((await folder.read()).damage[0]).toMatch(/cut off, or was written by another program/);
    mkdirSync(join(folder.path, "step-x"));
    writeFileSync(join(folder.path, "notes.txt"), "mine");
    expect((await folder.read()).last?.state.step).toBe(10);
  });

  it("says so when nothing is left", async () => {
    const folder = newFolder();
    await folder.begin(run);
    await commit(folder, 10);
    truncateSync(join(folder.path, "step-10/state.safetensors"), 100);
    const error = await rejection(folder.read());
    expect(error).toBeInstanceOf(DictlearnError);
    expect(error.message).toMatch(/step-10 is damaged: its tensors have 100 bytes instead of 20000\.$/);
  });
});

describe("a damaged file under resume/ is found, whichever and wherever", () => {
  const damaged = async (damage: (path: string) => boolean, name: string, { folder }: { folder: ResumeFolder }) => {
    const path = join(folder.path, name);
    const whole = readFileSync(path);
    const changed = damage(path);
    const result = await folder.read().catch((error: unknown) => error);
    writeFileSync(path, whole);
    return { changed, result };
  };

  const prepare = async (): Promise<{ folder: ResumeFolder; files: string[] }> => {
    const folder = newFolder();
    await folder.begin(run);
    for (const step of [10, 20]) await commit(folder, step);
    const files = filesOf(folder.path).map((file) => relative(folder.path, join(folder.path, file)));
    expect(files.sort()).toHaveLength(5);
    return { folder, files };
  };

  /** The newest state, or the older one if the newest is damaged. */
  const check = (name: string, { changed, result }: { changed: boolean; result: unknown }, where: string) => {
    const step = changed && name.startsWith("step-20") ? 10 : 20;
    expect(result, where).toMatchObject({ last: { state: stateAfter(step) } });
    expect((result as { damage: string[] }).damage, where).toHaveLength(step === 10 ? 1 : 0);
  };

  it("cut off at every kilobyte", async () => {
    const { folder, files } = await prepare();
    for (const name of files) {
      const size = statSync(join(folder.path, name)).size;
      for (let length = 0; length < size; length += 1024) {
        const cut = (path: string) => {
          truncateSync(path, length);
          return true;
        };
        check(name, await damaged(cut, name, { folder }), `${name} cut at ${length}`);
      }
    }
  });

  it("with any of 200 random bits flipped", async () => {
    const { folder, files } = await prepare();
    const random = seeded(5);
    for (const name of files) {
      for (let count = 0; count < 200; count += 1) {
        const bit = Math.floor(random() * statSync(join(folder.path, name)).size * 8);
        const flip = (path: string) => {
          const whole = readFileSync(path);
          const bytes = Buffer.from(whole);
          bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          writeFileSync(path, bytes);
          // White space in JSON has no meaning.
          return name.endsWith(".safetensors") || !sameJson(bytes, whole);
        };
        check(name, await damaged(flip, name, { folder }), `${name} with bit ${bit} flipped`);
      }
    }
  });
});

const sameJson = (a: Buffer, b: Buffer): boolean => {
  try {
    return JSON.stringify(JSON.parse(a.toString())) === JSON.stringify(JSON.parse(b.toString()));
  } catch {
    return false;
  }
};
