import { bytecodeVariables } from "./bytecode.ts";
import { pythonFolder } from "./places.ts";
import type { PythonEnvironment } from "./setup.ts";
import { withoutIgnored } from "./shell-variables.ts";

/**
 * What a Python that runs `dictlearn_worker` is started with, on top of this process's variables. The managed environment
 * runs as it was made: nothing of another Python reaches it. A Python of the user's own runs as the shell says.
 */
export const pythonVariables = ({ python, managed }: PythonEnvironment): NodeJS.ProcessEnv => {
  const inherited = managed ? undefined : process.env.PYTHONPATH;
  return {
    ...(managed ? withoutIgnored() : {}),
    ...bytecodeVariables(python),
    PYTHONPATH: inherited ? `${pythonFolder}:${inherited}` : pythonFolder,
    // A file of the user that is called like a package must not stand in for it.
    PYTHONSAFEPATH: "1",
  };
};
