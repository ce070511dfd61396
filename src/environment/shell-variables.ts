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
