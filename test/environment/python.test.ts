import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { findBasePython } from "../../src/environment/python.ts";
import { ensureEnvironment } from "../../src/environment/setup.ts";
import { EnvironmentError } from "../../src/errors.ts";
import { coldPython, rejection } from "../support.ts";
import { Workshop } from "./fixture.ts";

let real: string;
let shop: Workshop;
beforeAll(async () => {
  real = await coldPython();
});
beforeEach(() => {
  shop = new Workshop(real);
  vi.stubEnv("DICTLEARN_PYTHON", "");
  vi.stubEnv("DICTLEARN_BASE_PYTHON", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
  shop[Symbol.dispose]();
});

describe("a Python of the user's own", () => {
  const json = { module: "json", package: "json" };

  test("is taken as it is when it has the modules: --python before DICTLEARN_PYTHON", async () => {
    const places = { ...shop.places, modules: [json] };
    vi.stubEnv("DICTLEARN_PYTHON", "/nowhere/python");
    expect(await ensureEnvironment({ python: real }, places)).toEqual({ python: real, managed: false });
    vi.stubEnv("DICTLEARN_PYTHON", real);
    expect(await ensureEnvironment({}, places)).toEqual({ python: real, managed: false });
  });

  test("may be given as its environment's folder", async () => {
    const folder = join(real, "..", "..");
    expect(await ensureEnvironment({ python: folder }, { ...shop.places, modules: [json] })).toMatchObject({
      python: real,
    });
  });

  test("that lacks modules is refused with their names and the command that installs them", async () => {
    const modules = [json, ...["one", "two"].map((name) => ({ module: `no_${name}`, package: `no-${name}` }))];
    const error = await rejection(ensureEnvironment({ python: real }, { ...shop.places, modules }));
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error.message).toBe(`${real} lacks no-one and no-two, which the worker needs.`);
    expect(error).toMatchObject({ hint: `Install with: ${real} -m pip install -r ${shop.places.requirements}` });
  });

  test.each(["3.8.18", "3.15.0", "2.7.18"])("of version %s is refused", async (version) => {
    const error = await rejection(
      ensureEnvironment({ python: join(shop.fakePython(version), "python3") }, shop.places),
    );
    expect(error.message).toMatch(`is Python ${version}, but the worker needs 3.11 to 3.14.`);
  });

  test("that is none is refused", async () => {
    const missing = await rejection(ensureEnvironment({ python: "/nowhere/python" }, shop.places));
    expect(missing.message).toMatch("--python names /nowhere/python, which is neither");
    const other = await rejection(ensureEnvironment({ python: "/bin/true" }, shop.places));
    expect(other.message).toMatch("does not answer like a Python");
    const failing = await rejection(ensureEnvironment({ python: "/bin/false" }, shop.places));
    expect(failing.message).toMatch("does not start");
  });
});

describe("the Python to make an environment from", () => {
  test("is the first on PATH whose version is allowed", async () => {
    const bins = ["3.8.18", "3.12.4", "3.11.0"].map((version) => shop.fakePython(version));
    vi.stubEnv("PATH", bins.join(":"));
    expect(await findBasePython()).toMatchObject({ path: join(bins[1] ?? "", "python3"), version: "3.12.4" });
  });

  test("is the one that DICTLEARN_BASE_PYTHON names, or none", async () => {
    vi.stubEnv("DICTLEARN_BASE_PYTHON", join(shop.fakePython("3.8.18"), "python3"));
    const error = await rejection(findBasePython());
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error.message).toMatch(/only \S+python3 \(3\.8\.18\)\.$/);
  });

  test("is missed by name when there is none at all", async () => {
    vi.stubEnv("PATH", "/nowhere");
    const error = await rejection(findBasePython());
    expect(error.message).toBe("No Python was found on PATH, but the worker needs one, version 3.11 to 3.14.");
  });
});
