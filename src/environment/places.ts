import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import envPaths from "env-paths";

/** A module that the worker imports, and the package that pip installs it by. */
interface Requirement {
  readonly module: string;
  readonly package: string;
}

/** Where environments are stored and what they contain; tests substitute their own. */
export interface Places {
  /** The cache folder; environments are created in its subfolder `environments/`. */
  readonly cache: string;
  /** The file of pins, one `name==version` a line. */
  readonly requirements: string;
  /** Modules that must be importable afterwards. */
  readonly modules: readonly Requirement[];
}

/** The folder that holds the Python package `dictlearn_worker`; the same from `src/` and from `dist/`. */
export const pythonFolder = fileURLToPath(new URL("../../py_worker", import.meta.url));

const NAMES = "torch nnsight transformers accelerate gguf datasets pyarrow zstandard msgspec safetensors numpy psutil";

/** Modules that the worker imports directly. */
const MODULES: readonly Requirement[] = [
  ...NAMES.split(" ").map((name) => ({ module: name, package: name })),
  { module: "zmq", package: "pyzmq" },
];

/** `DICTLEARN_CACHE`, or the user's cache folder of this system. */
export const cacheFolder = (): string =>
  resolve(process.env.DICTLEARN_CACHE || envPaths("dictlearn", { suffix: "" }).cache);

/** The real places. */
export const defaultPlaces = (): Places => ({
  cache: cacheFolder(),
  requirements: join(pythonFolder, "requirements.txt"),
  modules: MODULES,
});

/**
 * The folder of the environment for a minor version of Python such as `3.12`: different pins or Pythons use different
 * folders, so that versions of dictlearn do not disturb each other.
 */
export const environmentFolder = ({ cache, requirements }: Places, minor: string): string => {
  const hash = createHash("sha256").update(readFileSync(requirements)).update(minor).digest("hex");
  return join(cache, "environments", hash.slice(0, 16));
};

/** The pinned versions by package name, in the file's order. */
export const pins = ({ requirements }: Places): ReadonlyMap<string, string> => {
  const found = new Map<string, string>();
  for (const line of readFileSync(requirements, "utf8").split("\n")) {
    const match = /^([A-Za-z0-9._-]+)==([^\s;#]+)/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) found.set(match[1], match[2]);
  }
  return found;
};

/** The interpreter inside a virtual environment. */
export const interpreterIn = (folder: string): string => join(folder, "bin", "python");
