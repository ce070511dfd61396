import { execa } from "execa";
import { EnvironmentError } from "../errors.ts";

/** Versions of Python for which the pinned torch has builds. */
const OLDEST = [3, 11] as const;
const NEWEST = [3, 14] as const;

const NAMES = ["python3.13", "python3.12", "python3.11", "python3.14", "python3", "python"];

/** `3.11` → whether the worker runs on it. */
export const isAllowed = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major === OLDEST[0] && minor >= OLDEST[1] && minor <= NEWEST[1];
};

export const allowedVersions = `${OLDEST.join(".")} to ${NEWEST.join(".")}`;

/** The version of an interpreter, e.g. `3.11.7`; undefined when it does not run. */
export const pythonVersion = async (python: string): Promise<string | undefined> => {
  const { failed, stdout } = await execa(python, ["-c", "import platform; print(platform.python_version())"], {
    reject: false,
    stdin: "ignore",
    timeout: 20_000,
  });
  return failed ? undefined : stdout.trim();
};

/** A Python that an environment can be made from: DICTLEARN_BASE_PYTHON, or the first fitting one on the PATH. */
export const findBasePython = async (): Promise<string> => {
  const wanted = process.env.DICTLEARN_BASE_PYTHON;
  const seen: string[] = [];
  for (const name of wanted ? [wanted] : NAMES) {
    const version = await pythonVersion(name);
    if (version === undefined) continue;
    if (isAllowed(version)) return name;
    seen.push(`${name} is ${version}`);
  }
  if (seen.length > 0) {
    throw new EnvironmentError(`dictlearn needs Python ${allowedVersions}, but ${seen.join(", ")}.`, {
      code: "python_version",
      hint: "Install a Python that fits, or name one with DICTLEARN_BASE_PYTHON or --python.",
    });
  }
  throw new EnvironmentError(`No Python was found${wanted ? ` at ${wanted}` : " on the PATH"}.`, {
    code: "no_python",
    hint: `Install Python ${allowedVersions}, or name one with DICTLEARN_BASE_PYTHON or --python.`,
  });
};
