import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { bytecodeVariables } from "../../src/environment/index.ts";
import { ensureEnvironment } from "../../src/environment/setup.ts";
import { WorkerProcess } from "../../src/worker/process.ts";
import { coldPython } from "../support.ts";
import { Workshop } from "./fixture.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

const compiled = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /tiny\..*pyc$/.test(name))
    : [];

describe("bytecode, where the shell says that none is to be written", () => {
  test("is written by the set-up, in one folder of the environment", async () => {
    const base = await coldPython();
    using shop = new Workshop(base);
    vi.stubEnv("DICTLEARN_PYTHON", "");
    vi.stubEnv("DICTLEARN_BASE_PYTHON", shop.quickBase(base));
    vi.stubEnv("PYTHONDONTWRITEBYTECODE", "1");
    vi.stubEnv("PYTHONPYCACHEPREFIX", "");
    const { python } = await ensureEnvironment({}, shop.places);
    const folder = dirname(dirname(python));
    expect(compiled(join(folder, "bytecode"))).toHaveLength(1);
    expect(compiled(join(folder, "lib"))).toEqual([]);
    expect(bytecodeVariables(python)).toEqual({
      PYTHONDONTWRITEBYTECODE: undefined,
      PYTHONPYCACHEPREFIX: join(folder, "bytecode"),
    });
    // A place chosen by the user is used.
    vi.stubEnv("PYTHONPYCACHEPREFIX", "/elsewhere");
    expect(bytecodeVariables(python)).toMatchObject({ PYTHONPYCACHEPREFIX: "/elsewhere" });
    // The user's own interpreter keeps the shell's setting, and without a setting so does every interpreter.
    expect(bytecodeVariables(base.replace("/bin/", "/elsewhere/bin/"))).toEqual({});
    vi.stubEnv("PYTHONDONTWRITEBYTECODE", "");
    expect(bytecodeVariables(python)).toEqual({});
  });

  test("is kept by the worker of a managed environment", async () => {
    using shop = new Workshop(await coldPython());
    const python = join(shop.folder, "bin", "python");
    mkdirSync(dirname(python));
    writeFileSync(python, '#!/bin/sh\necho "<$PYTHONDONTWRITEBYTECODE> $PYTHONPYCACHEPREFIX"\n', { mode: 0o755 });
    vi.stubEnv("PYTHONDONTWRITEBYTECODE", "1");
    vi.stubEnv("PYTHONPYCACHEPREFIX", "");
    const said = async (): Promise<readonly string[]> => {
      const started = new WorkerProcess(python, {}, { command: [] });
      await started.ended;
      await vi.waitUntil(() => started.stderr.length > 0);
      return started.stderr;
    };
    expect(await said()).toEqual(["<1> "]);
    writeFileSync(join(shop.folder, "dictlearn.json"), "{}");
    expect(await said()).toEqual([`<> ${join(shop.folder, "bytecode")}`]);
  });
});
