import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { execa } from "execa";

/** Major and minor version, such as `[3, 12]`. */
export type PythonVersion = readonly [major: number, minor: number];

/** An interpreter's description of itself. */
export interface Interpreter {
  /** Its path, as requested. */
  readonly path: string;
  /** Its full version, such as `3.12.1`. */
  readonly version: string;
  readonly minor: PythonVersion;
  /** Requested modules that cannot be imported. */
  readonly missing: readonly string[];
}

/** The interpreter could not run, or is not Python. */
export interface Unusable {
  readonly path: string;
  readonly reason: string;
  readonly cause?: unknown;
}

/**
 * Runs under any Python 3 and imports nothing large. A folder without code (no `origin`) does not count as a module.
 */
const PROBE = `
import importlib.util, json, sys
def missing(name):
    try:
        spec = importlib.util.find_spec(name)
    except Exception:
        return True
    return spec is None or spec.origin is None
print(json.dumps({"version": list(sys.version_info[:3]), "missing": [n for n in sys.argv[1:] if missing(n)]}))
`;
const PROBE_TIMEOUT_MS = 20_000;

/**
 * Asks an interpreter for its version and which of `modules` it lacks, in some 30 ms and without importing them.
 * `variables`: changes to this process's variables, the same as the interpreter will run with.
 */
export const probe = async (
  path: string,
  modules: readonly string[],
  variables: NodeJS.ProcessEnv = {},
): Promise<Interpreter | Unusable> => {
  const result = await execa(path, ["-c", PROBE, ...modules], {
    reject: false,
    stdin: "ignore",
    timeout: PROBE_TIMEOUT_MS,
    // The user's current folder must not be found as a module.
    env: { ...variables, PYTHONSAFEPATH: "1" },
  });
  if (result.timedOut) return { path, reason: "does not answer" };
  if (result.failed) return { path, reason: "does not start", cause: result };
  try {
    const said = JSON.parse(result.stdout) as { version: [number, number, number]; missing: string[] };
    const [major, minor] = said.version;
    return { path, version: said.version.join("."), minor: [major, minor], missing: said.missing };
  } catch (cause) {
    return { path, reason: "does not answer like a Python", cause };
  }
};

export const isUsable = (found: Interpreter | Unusable): found is Interpreter => "version" in found;

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
};

/** Every executable of this name on PATH, in PATH's order. */
export const onPath = (name: string): string[] => {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...new Set(folders.map((folder) => resolve(folder, name)))].filter(isExecutable);
};

/** An executable from user input: a path, a virtual environment's folder, or a name on PATH; absolute. */
export const findExecutable = (typed: string): string | undefined => {
  if (!typed.includes("/")) {
    const [first] = onPath(typed);
    if (first !== undefined) return first;
  }
  const path = resolve(typed);
  return [path, join(path, "bin", "python")].find(isExecutable);
};
