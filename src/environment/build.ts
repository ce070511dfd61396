import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { CancelledError, EnvironmentError } from "../errors.ts";
import { keepBytecode } from "./bytecode.ts";
import { removeMarker, writeMarker } from "./managed.ts";
import { PipOutput, type SetupProgress } from "./pip-output.ts";
import { interpreterIn, type Places, pins } from "./places.ts";
import type { Interpreter } from "./probe.ts";
import { withoutIgnored } from "./shell-variables.ts";

interface Build {
  readonly base: Interpreter;
  readonly folder: string;
  readonly places: Places;
  readonly signal: AbortSignal;
  readonly report: (progress: SetupProgress) => void;
}

/** Settings of the user's shell that would make pip install outside the new environment; pip's other settings apply. */
const ENVIRONMENT = {
  PYTHONUNBUFFERED: "1",
  PYTHONSAFEPATH: "1",
  PIP_DISABLE_PIP_VERSION_CHECK: "1",
  PIP_NO_INPUT: "1",
  PIP_QUIET: "0",
  PIP_USER: "0",
  PIP_TARGET: undefined,
  PIP_PREFIX: undefined,
} as const;
const INSTALLED_EVERY_MS = 500;
const KEPT_LINES = 40;

/**
 * Creates the environment from scratch, in its final place, since a virtual environment cannot be moved. The marker is
 * removed first and written last, so an interrupted build leaves a folder that nothing uses and the next setup
 * replaces.
 *
 * @throws {EnvironmentError} venv or pip failed, or the result cannot be imported.
 * @throws {CancelledError} `signal` fired.
 */
export const buildEnvironment = async (build: Build): Promise<void> => {
  const { base, folder, places, report } = build;
  const total = pins(places).size;
  report({ stage: "Creating", detail: `a virtual environment of Python ${base.version}`, done: 0, total });
  await removeMarker(folder);
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  await createVenv(build);
  await installPins(build, total);
  report({ stage: "Checking", detail: "that everything can be imported", done: total, total });
  await importAll(build);
  await writeMarker(folder, base);
};

const createVenv = async ({ base, folder, signal }: Build): Promise<void> => {
  const { ok, lines } = await run(base.path, ["-m", "venv", folder], signal);
  if (ok) return;
  const reason = lines.findLast((line) => line.trim() !== "")?.trim() ?? "it said nothing";
  throw new EnvironmentError(`${base.path} could not make a virtual environment in ${folder}: ${reason}`, {
    hint: "Name another Python with DICTLEARN_BASE_PYTHON, or another cache folder with DICTLEARN_CACHE.",
    cause: new Error(lines.join("\n")),
  });
};

const installPins = async ({ folder, places, signal, report }: Build, total: number): Promise<void> => {
  const output = new PipOutput(total);
  const names = [...pins(places).keys()];
  let watch: NodeJS.Timeout | undefined;
  const onLine = (line: string): void => {
    const progress = output.read(line);
    if (progress === undefined) return;
    report(progress);
    // While it unpacks, pip prints nothing for a minute: count the installed packages.
    if (progress.stage === "Installing") watch ??= setInterval(() => void countInstalled(), INSTALLED_EVERY_MS);
  };
  const countInstalled = async (): Promise<void> => {
    const done = await installed(folder, names);
    if (watch !== undefined) report({ stage: "Installing", detail: `${total} packages`, done, total });
  };
  try {
    // The first import writes bytecode, for the modules in use: compiling all of torch takes longer.
    const args = [
      "-m",
      "pip",
      "install",
      "--progress-bar",
      "off",
      "--no-input",
      "--no-compile",
      "-r",
      places.requirements,
    ];
    const { ok, lines } = await run(interpreterIn(folder), args, signal, { onLine });
    if (ok) return;
    const { reason, hint } = output.failure();
    throw new EnvironmentError(`The Python packages could not be installed: ${reason}.`, {
      hint,
      cause: new Error(lines.join("\n")),
    });
  } finally {
    clearInterval(watch);
    watch = undefined;
  }
};

/** Number of packages already installed. */
const installed = async (folder: string, names: readonly string[]): Promise<number> => {
  const lib = join(folder, "lib");
  try {
    const [python = ""] = await readdir(lib);
    const found = await readdir(join(lib, python, "site-packages"));
    const there = new Set(
      found.filter((name) => name.endsWith(".dist-info")).map((name) => plain(name.split("-")[0] ?? "")),
    );
    return names.filter((name) => there.has(plain(name))).length;
  } catch {
    return 0;
  }
};

const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_.]+/g, "_");

const importAll = async ({ folder, places, signal }: Build): Promise<void> => {
  const script = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)";
  const names = places.modules.map(({ module }) => module);
  const { ok, lines } = await run(interpreterIn(folder), ["-c", script, ...names], signal, {
    env: keepBytecode(folder),
  });
  if (ok) return;
  const reason = lines.findLast((line) => line.trim() !== "")?.trim() ?? "Python ended without a word";
  throw new EnvironmentError(`The packages were installed, but cannot be imported: ${reason}`, {
    hint: "Name another Python with DICTLEARN_BASE_PYTHON, or use one of your own with --python.",
    cause: new Error(lines.join("\n")),
  });
};

/** Runs a command to its end; the last lines of its output are kept. */
const run = async (
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  { onLine, env }: { readonly onLine?: (line: string) => void; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<{ ok: boolean; lines: readonly string[] }> => {
  const lines: string[] = [];
  if (signal.aborted) throw new CancelledError();
  const child = execa(command, args, {
    all: true,
    buffer: false,
    cancelSignal: signal,
    env: { ...withoutIgnored(), ...ENVIRONMENT, ...env },
    reject: false,
    stdin: "ignore",
  });
  for await (const line of child.iterable({ from: "all" })) {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
    onLine?.(line);
  }
  const result = await child;
  if (signal.aborted) throw new CancelledError("Setting up the Python environment was cancelled.");
  if (result.failed && lines.length === 0) lines.push(result.shortMessage ?? "it could not be started");
  return { ok: !result.failed, lines };
};
