import { EnvironmentError } from "../errors.ts";
import type { Places } from "./places.ts";
import {
  findExecutable,
  type Interpreter,
  isUsable,
  onPath,
  type PythonVersion,
  probe,
  type Unusable,
} from "./probe.ts";
import { withoutIgnored } from "./shell-variables.ts";

/** Versions that all pinned packages support, preferred ones first. */
export const ALLOWED: readonly PythonVersion[] = [
  [3, 13],
  [3, 12],
  [3, 11],
  [3, 14],
];
const RANGE = "3.11 to 3.14";
const NAMES = [...ALLOWED.map(([major, minor]) => `python${major}.${minor}`), "python3", "python"];

const isAllowed = ([major, minor]: PythonVersion): boolean =>
  ALLOWED.some((version) => version[0] === major && version[1] === minor);

/** The interpreter that the user chose, and how: `--python`, or the variable DICTLEARN_PYTHON. */
export const chosenPython = (python: string | undefined): { path: string; by: string } | undefined => {
  if (python !== undefined && python !== "") return { path: python, by: "--python" };
  const variable = process.env.DICTLEARN_PYTHON;
  return variable ? { path: variable, by: "DICTLEARN_PYTHON" } : undefined;
};

/**
 * The absolute path of the user's own interpreter, once checked for everything that the worker needs. Nothing is
 * installed.
 *
 * @throws {EnvironmentError} It does not exist, does not start, has the wrong version, or lacks modules (all are named).
 */
export const checkChosen = async (
  chosen: { path: string; by: string },
  { modules, requirements }: Places,
): Promise<string> => {
  const path = findExecutable(chosen.path);
  if (path === undefined) {
    throw new EnvironmentError(
      `${chosen.by} names ${chosen.path}, which is neither a Python interpreter nor a virtual environment.`,
      {
        code: "unusable_python",
        hint: `Give the path of a Python ${RANGE}, or leave ${chosen.by} out to use the managed environment.`,
      },
    );
  }
  const found = await probe(
    path,
    modules.map(({ module }) => module),
  );
  if (!isUsable(found)) {
    throw new EnvironmentError(`${path}, which ${chosen.by} names, ${found.reason}.`, {
      code: "unusable_python",
      hint: `Run it by hand to see why, or leave ${chosen.by} out to use the managed environment.`,
      cause: found.cause,
    });
  }
  if (!isAllowed(found.minor)) {
    throw new EnvironmentError(`${path} is Python ${found.version}, but the worker needs ${RANGE}.`, {
      code: "unusable_python",
      hint: `Give another one with --python, or leave ${chosen.by} out to use the managed environment.`,
    });
  }
  if (found.missing.length > 0) {
    const packages = modules.filter(({ module }) => found.missing.includes(module)).map((each) => each.package);
    throw new EnvironmentError(`${path} lacks ${listed(packages)}, which the worker needs.`, {
      code: "unusable_python",
      hint: `Install with: ${path} -m pip install -r ${requirements}`,
    });
  }
  return path;
};

const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

/** Modules needed to create a virtual environment; Debian ships both separately from Python. */
const VENV_MODULES = ["venv", "ensurepip"];

/**
 * A Python that an environment can be created from: DICTLEARN_BASE_PYTHON if set, otherwise the first on PATH whose
 * version is allowed.
 *
 * @throws {EnvironmentError} There is none; the message names the candidates checked.
 */
export const findBasePython = async (): Promise<Interpreter> => {
  const given = process.env.DICTLEARN_BASE_PYTHON;
  const looked: (Interpreter | Unusable)[] = [];
  for (const path of given ? [findExecutable(given) ?? given] : candidates()) {
    const found = await probe(path, VENV_MODULES, withoutIgnored());
    if (isUsable(found) && isAllowed(found.minor) && found.missing.length === 0) return found;
    looked.push(found);
  }
  if (looked.length === 0) {
    throw new EnvironmentError(`No Python was found on PATH, but the worker needs one, version ${RANGE}.`, {
      hint: "Install Python 3.12, or name one with DICTLEARN_BASE_PYTHON.",
    });
  }
  const what = looked.map((each) => `${each.path} (${defect(each)})`).join(", ");
  const lacksVenv = looked.find((each): each is Interpreter => isUsable(each) && isAllowed(each.minor));
  const [major, minor] = lacksVenv?.minor ?? [3, 12];
  throw new EnvironmentError(`No Python ${RANGE} that can make a virtual environment was found, only ${what}.`, {
    hint: lacksVenv
      ? `On Debian and Ubuntu: sudo apt install python${major}.${minor}-venv; or name another Python with DICTLEARN_BASE_PYTHON.`
      : `Install Python ${major}.${minor}, or name one with DICTLEARN_BASE_PYTHON.`,
  });
};

/** Lazily, so that nothing after the first valid one is looked up. */
function* candidates(): Generator<string> {
  const seen = new Set<string>();
  for (const path of NAMES.flatMap(onPath)) {
    if (!seen.has(path)) yield path;
    seen.add(path);
  }
}

const defect = (found: Interpreter | Unusable): string => {
  if (!isUsable(found)) return found.reason;
  return isAllowed(found.minor) ? `${found.version}, without ${listed(found.missing)}` : found.version;
};
