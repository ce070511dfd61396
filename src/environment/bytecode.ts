import { dirname, join } from "node:path";
import { isReady } from "./managed.ts";

/**
 * The variables that make Python keep the compiled modules of a managed environment, in a folder of that environment,
 * even if the shell sets PYTHONDONTWRITEBYTECODE, as container images often do: pip has compiled nothing there, and
 * each start would compile everything, for 7 s. No other folder is written to. Empty where the shell does not set it.
 */
export const keepBytecode = (folder: string): NodeJS.ProcessEnv =>
  process.env.PYTHONDONTWRITEBYTECODE
    ? {
        PYTHONDONTWRITEBYTECODE: undefined,
        PYTHONPYCACHEPREFIX: process.env.PYTHONPYCACHEPREFIX || join(folder, "bytecode"),
      }
    : {};

/** `keepBytecode` for an interpreter: empty where it is not that of a managed environment. */
export const bytecodeVariables = (python: string): NodeJS.ProcessEnv => {
  const folder = dirname(dirname(python));
  return isReady(folder) ? keepBytecode(folder) : {};
};
