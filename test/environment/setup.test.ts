import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { SetupProgress } from "../../src/environment/pip-output.ts";
import { ensureEnvironment } from "../../src/environment/setup.ts";
import { CancelledError, EnvironmentError } from "../../src/errors.ts";
import { coldPython, rejection } from "../support.ts";
import { Workshop } from "./fixture.ts";

let base: string;
beforeAll(async () => {
  base = await coldPython();
});
beforeEach(() => {
  vi.stubEnv("DICTLEARN_PYTHON", "");
  vi.stubEnv("DICTLEARN_BASE_PYTHON", base);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const recorder = () => {
  const stages: SetupProgress["stage"][] = [];
  const onProgress = ({ stage }: SetupProgress): void => {
    if (stages.at(-1) !== stage) stages.push(stage);
  };
  return { stages, onProgress };
};
const site = (interpreter: string): string => join(dirname(interpreter), "..", "lib");
const markerOf = (interpreter: string): string => join(dirname(interpreter), "..", "dictlearn.json");

describe("ensureEnvironment", () => {
  test("makes one environment for two callers at once, and none when it is there", async () => {
    using shop = new Workshop(base);
    const [first, second] = [recorder(), recorder()];
    const [one, two] = await Promise.all([
      ensureEnvironment({ onProgress: first.onProgress }, shop.places),
      ensureEnvironment({ onProgress: second.onProgress }, shop.places),
    ]);
    expect(one).toEqual(two);
    expect(one.managed).toBe(true);
    const stages = [first.stages, second.stages].sort((a, b) => b.length - a.length);
    expect(stages[0]).toEqual(["Creating", "Downloading", "Installing", "Checking", "Ready"]);
    expect(stages[1]).toEqual(["Waiting", "Ready"]);

    // Without a Python to start, only the two stat calls remain.
    vi.stubEnv("DICTLEARN_BASE_PYTHON", "");
    vi.stubEnv("PATH", "/nowhere");
    const third = recorder();
    expect(await ensureEnvironment({ onProgress: third.onProgress }, shop.places)).toEqual(one);
    expect(third.stages).toEqual([]);
  });

  test("makes it anew after an interruption, from nothing", async () => {
    using shop = new Workshop(base);
    vi.stubEnv("DICTLEARN_BASE_PYTHON", shop.quickBase(base));
    const controller = new AbortController();
    const begun = recorder();
    const onProgress = (progress: SetupProgress): void => {
      begun.onProgress(progress);
      if (progress.stage === "Downloading") controller.abort();
    };
    const error = await rejection(ensureEnvironment({ onProgress, signal: controller.signal }, shop.places));
    expect(error).toBeInstanceOf(CancelledError);
    expect(begun.stages.at(-1)).toBe("Failed");

    const { stages, onProgress: again } = recorder();
    const made = await ensureEnvironment({ onProgress: again }, shop.places);
    expect(stages).toContain("Creating");
    expect(existsSync(markerOf(made.python))).toBe(true);
  });

  test("takes no half-made or broken environment for a whole one", async () => {
    using shop = new Workshop(base);
    vi.stubEnv("DICTLEARN_BASE_PYTHON", shop.quickBase(base));
    const { python: interpreter } = await ensureEnvironment({}, shop.places);
    const rebuilt = async (options = {}): Promise<boolean> => {
      const { stages, onProgress } = recorder();
      await ensureEnvironment({ onProgress, ...options }, shop.places);
      return stages.includes("Creating");
    };
    const leftover = join(dirname(interpreter), "leftover");
    writeFileSync(leftover, "");
    rmSync(markerOf(interpreter));
    expect(await rebuilt()).toBe(true);
    expect(existsSync(leftover)).toBe(false);

    rmSync(interpreter);
    expect(await rebuilt()).toBe(true);

    rmSync(site(interpreter), { recursive: true });
    mkdirSync(site(interpreter));
    expect(await rebuilt()).toBe(false);
    expect(await rebuilt({ verify: true })).toBe(true);
    expect(await rebuilt({ verify: true })).toBe(false);
    expect(await rebuilt({ repair: true })).toBe(true);
    expect(JSON.parse(readFileSync(markerOf(interpreter), "utf8"))).toMatchObject({ base: shop.quickBase(base) });
  });

  test("says which package does not exist, and leaves nothing that looks whole", async () => {
    using shop = new Workshop(base, { name: "absent" });
    vi.stubEnv("DICTLEARN_BASE_PYTHON", shop.quickBase(base));
    const { stages, onProgress } = recorder();
    const error = await rejection(ensureEnvironment({ onProgress }, shop.places));
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error.message).toBe(
      "The Python packages could not be installed: pip says: No matching distribution found for absent==1.0.",
    );
    expect(stages.at(-1)).toBe("Failed");
    expect(await rejection(ensureEnvironment({}, shop.places))).toBeInstanceOf(EnvironmentError);
  });

  test("says what cannot be imported after all", async () => {
    using shop = new Workshop(base, { module: "elsewhere" });
    vi.stubEnv("DICTLEARN_BASE_PYTHON", shop.quickBase(base));
    const error = await rejection(ensureEnvironment({}, shop.places));
    expect(error.message).toContain("No module named 'elsewhere'");
  });

  test("says that the cache cannot be written", async () => {
    using shop = new Workshop(base);
    vi.stubEnv("DICTLEARN_BASE_PYTHON", shop.quickBase(base));
    const cache = join(shop.folder, "requirements.txt", "cache");
    const error = await rejection(ensureEnvironment({}, { ...shop.places, cache }));
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error).toMatchObject({ hint: expect.stringContaining("DICTLEARN_CACHE") });
  });
});
