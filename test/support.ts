import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { ensureEnvironment } from "../src/environment/index.ts";
import { Worker } from "../src/worker/index.ts";

/** A file or folder of the repository. */
export const path = (relative: string): string => fileURLToPath(new URL(`../${relative}`, import.meta.url));

/** Runs the worker's environment, and starts the worker warm (test/warm-python). */
export const python = async (): Promise<string> => (await ensureEnvironment({})).python;

/** The interpreter of the worker's environment itself, which starts the worker as for users. */
export const coldPython = async (): Promise<string> => process.env.DICTLEARN_WARM_PYTHON ?? (await python());

export const startWorker = async (): Promise<Worker> => await Worker.start({ python: await python() });

/** A worker of test/fixtures/workers, which misbehaves in one way. */
export const startFake = async (name: string, options: { startTimeout?: number } = {}): Promise<Worker> =>
  await Worker.start({
    python: await python(),
    command: [path(`test/fixtures/workers/${name}.py`)],
    // They import shared code from their own folder.
    environment: { PYTHONSAFEPATH: "" },
    ...options,
  });

/** The output of a TypeScript script, which imports by absolute paths, in a separate Node. */
export const runScript = async (script: string, env: Record<string, string> = {}): Promise<string> => {
  const args = ["--import", "tsx", "--input-type=module", "--eval", script];
  const { stdout } = await execa(process.execPath, args, { cwd: path("."), env, timeout: 60_000 });
  return stdout;
};

/** Whether a process still runs; a zombie does not. */
export const alive = (pid: number): boolean =>
  /^[^Z]/.test(
    spawnSync("ps", ["-o", "stat=", "-p", String(pid)])
      .stdout.toString()
      .trim(),
  );

/** The error that a promise rejects with; fails if it does not reject. */
export const rejection = async (promise: Promise<unknown>): Promise<Error> => {
  const result = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in result && result.error instanceof Error) return result.error;
  throw new Error(`Expected an error, but got ${JSON.stringify(result)}`);
};
