import { execa } from "execa";
import { z } from "zod";
import { EnvironmentError } from "../errors.ts";
import { pythonVariables } from "./python-variables.ts";
import type { PythonEnvironment } from "./setup.ts";

const findings = z.object({
  python: z.string(),
  packages: z.record(z.string(), z.object({ version: z.string().nullable(), error: z.string().nullable() })),
  cuda: z.string().nullable(),
  cuda_error: z.string().nullable(),
  devices: z.array(z.object({ name: z.string(), kind: z.string(), total_bytes: z.number(), free_bytes: z.number() })),
});

/** The report of `dictlearn_worker.doctor` about its interpreter; memory in bytes. */
export type Findings = z.infer<typeof findings>;

/** Importing everything from a cold disk cache is slow. */
const TIMEOUT_MS = 180_000;

/**
 * Makes the interpreter inspect itself, in one process that imports everything; takes some seconds.
 *
 * @throws {EnvironmentError} It ended without an answer.
 */
export const inspect = async (environment: PythonEnvironment): Promise<Findings> => {
  const { python } = environment;
  const result = await execa(python, ["-m", "dictlearn_worker.doctor"], {
    env: pythonVariables(environment),
    reject: false,
    stdin: "ignore",
    timeout: TIMEOUT_MS,
  });
  const answer = result.failed ? undefined : result.stdout.trim().split("\n").at(-1);
  try {
    return findings.parse(JSON.parse(answer ?? ""));
  } catch (cause) {
    const reason = result.timedOut
      ? "it did not answer"
      : result.stderr.trim().split("\n").at(-1) || result.shortMessage;
    throw new EnvironmentError(`${python} could not be looked into: ${reason ?? String(cause)}`, {
      cause: result.failed ? result : cause,
    });
  }
};
