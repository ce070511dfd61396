import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { nodeCheck, packageChecks } from "../../src/environment/checks.ts";
import { diagnose } from "../../src/environment/doctor.ts";
import { interpreterIn } from "../../src/environment/places.ts";
import { coldPython, path } from "../support.ts";
import { Workshop } from "./fixture.ts";

let real: string;
beforeAll(async () => {
  real = await coldPython();
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe("diagnose", () => {
  test("tells versions and devices of the interpreter that the worker uses", async () => {
    vi.stubEnv("DICTLEARN_PYTHON", real);
    const { ok, python: interpreter, versions, devices, checks } = await diagnose();
    expect(checks.filter((check) => !check.ok)).toEqual([]);
    expect(ok).toBe(true);
    expect(interpreter).toBe(real);
    expect(versions).toMatchObject({ node: process.versions.node, nnsight: "0.8.1", transformers: "5.23.0" });
    expect(versions.torch).toMatch(/^2\.13\.0/);
    expect(versions.python).toMatch(/^3\.1[1-4]\./);
    expect(devices[0]).toEqual({
      name: "cpu",
      kind: "cpu",
      total_bytes: expect.any(Number),
      free_bytes: expect.any(Number),
    });
    const names = checks.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["node", "zeromq", "python", "torch", "pyzmq", "CUDA devices", "free memory"]),
    );
  });

  test("says why an installed package cannot be imported", async () => {
    using shop = new Workshop(real);
    writeFileSync(join(shop.folder, "gguf.py"), "print('noise')\nraise OSError('libgguf.so: cannot open')\n");
    vi.stubEnv("PYTHONPATH", shop.folder);
    const { ok, checks } = await diagnose({ python: real });
    expect(ok).toBe(false);
    expect(checks.filter((check) => !check.ok)).toEqual([
      {
        name: "gguf",
        ok: false,
        value: "0.19.0: OSError: libgguf.so: cannot open",
        fix: "Install gguf==0.19.0 into this Python.",
      },
    ]);
  });

  test("installs nothing, and says how to", async () => {
    using shop = new Workshop(real);
    vi.stubEnv("DICTLEARN_PYTHON", "");
    vi.stubEnv("DICTLEARN_BASE_PYTHON", real);
    const { ok, python: interpreter, checks } = await diagnose({}, shop.places);
    expect(ok).toBe(false);
    expect(interpreter).toBeNull();
    expect(checks.find(({ name }) => name === "python")).toEqual({
      name: "python",
      ok: false,
      value: "the managed environment does not exist yet",
      fix: "Run `dictlearn setup`.",
    });
  });

  test("reports a Python that is not there instead of throwing", async () => {
    const { ok, checks } = await diagnose({ python: interpreterIn("/nowhere") });
    expect(ok).toBe(false);
    expect(checks.find(({ name }) => name === "python")?.value).toContain("/nowhere/bin/python");
  });
});

describe("checks", () => {
  test.each([
    ["20.19.0", true],
    ["22.1.0", true],
    ["20.18.3", false],
    ["18.20.0", false],
  ])("Node %s: %s", (version, ok) => {
    expect(nodeCheck(version).ok).toBe(ok);
  });

  test("names the tested version where another one is installed", () => {
    const found = { python: "3.12.1", cuda: "13.0", cuda_error: null, devices: [] };
    const packages = { torch: { version: "2.13.0+cu130", error: null }, nnsight: { version: "0.9.0", error: null } };
    const pins = new Map([
      ["torch", "2.13.0"],
      ["nnsight", "0.8.1"],
    ]);
    expect(packageChecks({ ...found, packages }, pins, true).map(({ value }) => value)).toEqual([
      "2.13.0+cu130, CUDA 13.0",
      "0.9.0 (tested with 0.8.1)",
    ]);
  });
});

test("`dictlearn doctor --json` prints one object and exits with 1 when something is wrong", async () => {
  using shop = new Workshop(real);
  mkdirSync(shop.places.cache);
  const env = { ...process.env, DICTLEARN_PYTHON: "", DICTLEARN_CACHE: shop.places.cache, DICTLEARN_BASE_PYTHON: real };
  const run = promisify(execFile)(process.execPath, ["--import", "tsx", path("src/cli/main.ts"), "doctor", "--json"], {
    env,
  });
  const { code, stdout } = await run.then(
    () => ({ code: 0, stdout: "" }),
    (error: { code: number; stdout: string }) => error,
  );
  expect(code).toBe(1);
  expect(Object.keys(JSON.parse(stdout))).toEqual(["ok", "python", "versions", "devices", "checks"]);
});
