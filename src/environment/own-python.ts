import { execa } from "execa";
import { EnvironmentError } from "../errors.ts";
import { allowedVersions, isAllowed } from "./base-python.ts";
import { requirementsFile } from "./paths.ts";

/** Modules that the worker imports, by the package that brings them. */
const MODULES: Readonly<Record<string, string>> = {
  torch: "torch",
  nnsight: "nnsight",
  transformers: "transformers",
  accelerate: "accelerate",
  gguf: "gguf",
  datasets: "datasets",
  pyarrow: "pyarrow",
  zstandard: "zstandard",
  pyzmq: "zmq",
  msgspec: "msgspec",
  safetensors: "safetensors",
  psutil: "psutil",
};

/** Asks without importing anything, so that it costs no more than starting Python. */
const PROBE = `
import importlib.util, json, platform, sys
print(json.dumps([platform.python_version(), [m for m in sys.argv[1:] if importlib.util.find_spec(m) is None]]))`;

/** Checks an interpreter that the user brings. Throws `EnvironmentError` when it does not run, is too old or lacks something. */
export const checkOwnPython = async (python: string): Promise<void> => {
  const probe = await execa(python, ["-c", PROBE, ...Object.values(MODULES)], {
    reject: false,
    stdin: "ignore",
    timeout: 30_000,
  });
  if (probe.failed) {
    throw new EnvironmentError(`${python} does not run as a Python interpreter.`, {
      code: "no_python",
      hint: "Check --python and DICTLEARN_PYTHON, or leave them out to use the managed environment.",
      cause: probe.cause ?? new Error(probe.stderr),
    });
  }
  const [version, missing] = JSON.parse(probe.stdout) as [string, string[]];
  if (!isAllowed(version)) {
    throw new EnvironmentError(`dictlearn needs Python ${allowedVersions}, but ${python} is ${version}.`, {
      code: "python_version",
    });
  }
  if (missing.length > 0) {
    const packages = Object.keys(MODULES).filter((name) => missing.includes(MODULES[name] ?? ""));
    throw new EnvironmentError(`${python} lacks ${packages.join(", ")}.`, {
      code: "broken_environment",
      hint: `Run: ${python} -m pip install -r ${requirementsFile}`,
    });
  }
};
