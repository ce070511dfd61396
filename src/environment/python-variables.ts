import { bytecodeVariables } from "./bytecode.ts";
import { pythonFolder } from "./places.ts";
import type { PythonEnvironment } from "./setup.ts";
import { withoutIgnored } from "./shell-variables.ts";

/**
 * Variables for a Python that runs `dictlearn_worker`, on top of this process's. The managed environment runs isolated:
 * no settings for another Python reach it. The user's own Python runs with the shell's variables.
 */
export const pythonVariables = ({ python, managed }: PythonEnvironment): NodeJS.ProcessEnv => {
  const inherited = managed ? undefined : process.env.PYTHONPATH;
  return {
    ...(managed ? withoutIgnored() : {}),
    ...bytecodeVariables(python),
    PYTHONPATH: inherited ? `${pythonFolder}:${inherited}` : pythonFolder,
    // A user's file named like a package must not shadow it.
    PYTHONSAFEPATH: "1",
  };
};
