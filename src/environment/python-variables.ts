import { bytecodeVariables } from "./bytecode.ts";
import { pythonFolder } from "./places.ts";

/** What a Python that runs `dictlearn_worker` is started with, on top of this process's variables. */
export const pythonVariables = (python: string): NodeJS.ProcessEnv => {
  const inherited = process.env.PYTHONPATH;
  return {
    ...bytecodeVariables(python),
    PYTHONPATH: inherited ? `${pythonFolder}:${inherited}` : pythonFolder,
    // A file of the user that is called like a package must not stand in for it.
    PYTHONSAFEPATH: "1",
  };
};
