import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureEnvironment } from "../../src/environment/index.ts";
import { path } from "../support.ts";

/**
 * Before all tests: starts a Python that has imported the libraries and forks a worker per start of `python` in this
 * folder, which is DICTLEARN_PYTHON for the tests.
 */
export const setup = async (): Promise<() => Promise<void>> => {
  // Inside another run of the tests: the real Python, because a shim that starts itself would never end.
  if (process.env.DICTLEARN_WARM_PYTHON !== undefined) process.env.DICTLEARN_PYTHON = process.env.DICTLEARN_WARM_PYTHON;
  const { python } = await ensureEnvironment({});
  if (process.platform !== "linux") return async () => {};
  const folder = mkdtempSync(join(tmpdir(), "warm-"));
  const socket = join(folder, "socket");
  // The variables of every worker: see src/worker/process.ts and client.py.
  const settings = { OMP_NUM_THREADS: "1", HF_HUB_OFFLINE: "1" };
  Object.assign(process.env, settings);
  const server = spawn(python, [path("test/warm-python/server.py"), socket], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...process.env,
      PYTHONPATH: [path("py_worker"), process.env.PYTHONPATH].filter(Boolean).join(":"),
      PYTHONSAFEPATH: "1",
      PYTHONUNBUFFERED: "1",
    },
  });
  const ended = once(server, "exit");
  await Promise.race([
    once(server.stdout, "data"),
    ended.then(([code]) => {
      throw new Error(`test/warm-python/server.py ended with ${code}.`);
    }),
  ]);
  process.env.DICTLEARN_PYTHON = path("test/warm-python/python");
  process.env.DICTLEARN_WARM_PYTHON = python;
  process.env.DICTLEARN_WARM_SOCKET = socket;
  return async () => {
    server.stdin.end();
    await ended;
    rmSync(folder, { recursive: true });
  };
};
