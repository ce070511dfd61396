import { bytecodeVariables } from "./bytecode.ts";
import { pythonFolder } from "./places.ts";
import type { PythonEnvironment } from "./setup.ts";

/** What stands in the shell for one Python of the user's and would lead another to its packages, or change how it runs. */
const LEADS_AWAY = /^PYTHON|^(VIRTUAL_ENV|CONDA_PREFIX|CONDA_DEFAULT_ENV|__PYVENV_LAUNCHER__)$/;
/** These change no result and no package; `bytecodeVariables` has a rule for the first two. */
const HARMLESS = new Set([
  "PYTHONDONTWRITEBYTECODE",
  "PYTHONPYCACHEPREFIX",
  "PYTHONUNBUFFERED",
  "PYTHONFAULTHANDLER",
  "PYTHONSAFEPATH",
  "PYTHONNOUSERSITE",
]);

/** The variables of this process that the managed environment is neither made nor run with, sorted. */
export const ignoredVariables = (): string[] =>
  Object.keys(process.env)
    .filter((name) => process.env[name] !== "" && LEADS_AWAY.test(name) && !HARMLESS.has(name))
    .sort();

/** The same as changes to this process's variables. */
export const withoutIgnored = (): NodeJS.ProcessEnv =>
  Object.fromEntries(ignoredVariables().map((name) => [name, undefined]));

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
