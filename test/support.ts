import { fileURLToPath } from "node:url";
import { ensureEnvironment } from "../src/environment/index.ts";
import { Worker } from "../src/worker/index.ts";

/** A file or folder of the repository. */
export const path = (relative: string): string => fileURLToPath(new URL(`../${relative}`, import.meta.url));

/** Runs the worker's environment, and starts the worker warm (test/warm-python). */
export const python = async (): Promise<string> => (await ensureEnvironment({})).python;

/** The interpreter of the worker's environment itself, which starts the worker as it starts for users. */
export const coldPython = async (): Promise<string> => process.env.DICTLEARN_WARM_PYTHON ?? (await python());

export const startWorker = async (): Promise<Worker> => await Worker.start({ python: await python() });

/** A worker of test/fixtures/workers, which misbehaves in one way. */
export const startFake = async (name: string, options: { startTimeout?: number } = {}): Promise<Worker> =>
  await Worker.start({
    python: await python(),
    command: [path(`test/fixtures/workers/${name}.py`)],
    // They import what they share from their own folder.
    environment: { PYTHONSAFEPATH: "" },
    ...options,
  });

/** The error that a promise rejects with; fails when it does not. */
export const rejection = async (promise: Promise<unknown>): Promise<Error> => {
  const result = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in result && result.error instanceof Error) return result.error;
  throw new Error(`Expected an error, but got ${JSON.stringify(result)}`);
};
