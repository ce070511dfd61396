import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { variablesCheck } from "../../src/environment/checks.ts";
import { pythonVariables } from "../../src/environment/python-variables.ts";
import { ensureEnvironment } from "../../src/environment/setup.ts";
import { Worker } from "../../src/worker/index.ts";
import { coldPython, rejection } from "../support.ts";
import { Workshop } from "./fixture.ts";

let real: string;
let shop: Workshop;
/** A user's module that must not replace one of ours. */
const poison = (module: string): void => {
  mkdirSync(join(shop.folder, module));
  writeFileSync(join(shop.folder, module, "__init__.py"), `raise ImportError("${module} of another Python")\n`);
};
/** Variables that activated environments, notebooks and users leave in a shell. */
const shell = (): Record<string, string> => ({
  PYTHONPATH: shop.folder,
  PYTHONHOME: shop.folder,
  PYTHONSTARTUP: join(shop.folder, "start.py"),
  PYTHONUSERBASE: shop.folder,
  PYTHONPLATLIBDIR: "nowhere",
  PYTHONOPTIMIZE: "2",
  PYTHONWARNINGS: "error",
  PYTHONIOENCODING: "ascii",
  VIRTUAL_ENV: shop.folder,
  CONDA_PREFIX: shop.folder,
});

beforeEach(async () => {
  real = await coldPython();
  shop = new Workshop(real);
});
afterEach(() => {
  vi.unstubAllEnvs();
  shop[Symbol.dispose]();
});

describe("variables of another Python in the shell", () => {
  test("do not reach the managed environment, which is made, checked and run without them", async () => {
    for (const module of ["numpy", "tiny"]) poison(module);
    const base = shop.quickBase(real);
    for (const [name, value] of Object.entries(shell())) vi.stubEnv(name, value);
    vi.stubEnv("DICTLEARN_PYTHON", "");
    vi.stubEnv("DICTLEARN_BASE_PYTHON", base);
    expect(await ensureEnvironment({}, shop.places)).toMatchObject({ managed: true });
    // Created by the first call, checked by the second: nothing is created again.
    const stages: string[] = [];
    await ensureEnvironment({ verify: true, onProgress: ({ stage }) => stages.push(stage) }, shop.places);
    expect(stages).toEqual([]);
    expect(variablesCheck(true).value).toBe(
      `the managed environment ignores ${Object.keys(shell()).sort().join(", ")}`,
    );
    await using worker = await Worker.start({ python: real, managed: true });
    expect(worker.info.versions.torch).toMatch(/^2\.13/);
  });

  test("reach a Python of the user's own, and the hint says so", async () => {
    poison("msgspec");
    vi.stubEnv("PYTHONPATH", shop.folder);
    expect(pythonVariables({ python: real, managed: false }).PYTHONPATH).toMatch(new RegExp(`:${shop.folder}$`));
    expect(variablesCheck(false).value).toBe("this Python runs with PYTHONPATH");
    const error = await rejection(Worker.start({ python: real }));
    expect(error.message).toMatch(/msgspec of another Python$/);
    expect(error).toMatchObject({
      hint: `Run \`dictlearn doctor --python ${real}\` to see what is wrong. It runs with PYTHONPATH: try without.`,
    });
  });
});
