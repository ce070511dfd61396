import { statfsSync } from "node:fs";
import { freemem } from "node:os";
import { dirname } from "node:path";
import { execa } from "execa";
import prettyBytes from "pretty-bytes";
import { workerFolder } from "../worker/process.ts";
import { cacheFolder, environmentPaths } from "./paths.ts";
import { isReady } from "./managed.ts";

/** One thing that dictlearn needs. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly value: string;
  /** What to do when it is not ok. */
  readonly fix?: string;
}

export interface Device {
  readonly name: string;
  readonly kind: string;
  readonly total_bytes: number;
  readonly free_bytes: number;
}

export interface Diagnosis {
  readonly ok: boolean;
  /** The interpreter that the worker uses, or will use. */
  readonly python: string;
  readonly versions: Readonly<Record<string, string | null>>;
  readonly devices: readonly Device[];
  readonly checks: readonly Check[];
}

/** What the Python side reports; null for a package that is missing or broken. */
interface PythonReport {
  readonly python: string;
  readonly versions: Readonly<Record<string, string | null>>;
  readonly devices: readonly Device[];
}

const OLDEST_NODE = [20, 19] as const;
const LEAST_MEMORY = 2e9;
const LEAST_DISK = 4e9;
const REPAIR = "Run `dictlearn setup --repair`.";

/** Looks at everything that a run needs, and changes nothing. */
export const diagnose = async (options: { readonly python?: string | undefined } = {}): Promise<Diagnosis> => {
  const own = options.python || process.env.DICTLEARN_PYTHON;
  const paths = environmentPaths();
  const python = own || paths.python;
  const checks: Check[] = [nodeCheck(), await zeromqCheck()];
  let report: PythonReport | undefined;
  if (!own && !isReady(paths.folder)) {
    checks.push({ name: "Python environment", ok: false, value: `not made yet (${paths.folder})`, fix: "Run `dictlearn setup`." });
  } else {
    report = await askPython(python);
    checks.push(...pythonChecks(python, report, own ? `Run: ${python} -m pip install -r py_worker/requirements.txt` : REPAIR));
  }
  checks.push(memoryCheck(), diskCheck("Disk of the cache", cacheFolder()), diskCheck("Disk here", process.cwd()));
  return {
    ok: checks.every(({ ok }) => ok),
    python,
    versions: { node: process.versions.node, ...report?.versions },
    devices: report?.devices ?? [],
    checks,
  };
};

const askPython = async (python: string): Promise<PythonReport | undefined> => {
  const env = { PYTHONPATH: workerFolder };
  const { failed, stdout } = await execa(python, ["-m", "dictlearn_worker.doctor"], { reject: false, stdin: "ignore", env, timeout: 120_000 });
  return failed ? undefined : (JSON.parse(stdout) as PythonReport);
};

const pythonChecks = (python: string, report: PythonReport | undefined, fix: string): Check[] => {
  if (report === undefined) return [{ name: "Python", ok: false, value: `${python} does not run`, fix }];
  const packages = Object.entries(report.versions).filter(([name]) => name !== "python");
  const cuda = report.devices.filter(({ name }) => name.startsWith("cuda"));
  return [
    { name: "Python", ok: true, value: `${report.versions.python ?? "?"} at ${python}` },
    ...packages.map(([name, version]) => (version === null ? { name, ok: false, value: "missing or broken", fix } : { name, ok: true, value: version })),
    {
      name: "CUDA devices",
      ok: true,
      value: cuda.length === 0 ? "none; everything runs on the CPU" : cuda.map(({ name, kind, total_bytes }) => `${name}: ${kind}, ${prettyBytes(total_bytes)}`).join("; "),
    },
  ];
};

const nodeCheck = (): Check => {
  const version = process.versions.node;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const ok = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  return ok ? { name: "Node", ok, value: version } : { name: "Node", ok, value: version, fix: `Install Node ${OLDEST_NODE.join(".")} or later.` };
};

const zeromqCheck = async (): Promise<Check> => {
  try {
    const { version } = await import("zeromq");
    return { name: "zeromq", ok: true, value: version };
  } catch (error) {
    return { name: "zeromq", ok: false, value: error instanceof Error ? error.message : String(error), fix: "Run `npm install` again." };
  }
};

const memoryCheck = (): Check => {
  const free = freemem();
  const check = { name: "Free memory", ok: free >= LEAST_MEMORY, value: prettyBytes(free) };
  return check.ok ? check : { ...check, fix: "Close other programs, or lower buffer.n_ctxs." };
};

const diskCheck = (name: string, path: string): Check => {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = statfsSync(folder);
      const check = { name, ok: bavail * bsize >= LEAST_DISK, value: `${prettyBytes(bavail * bsize)} free at ${path}` };
      return check.ok ? check : { ...check, fix: "Free some space." };
    } catch (error) {
      if (folder === dirname(folder)) throw error;
    }
  }
};
