/**
 * Shell variables meant for one of the user's Pythons that would make another load its packages, or change how it runs.
 */
const LEADS_AWAY = /^PYTHON|^(VIRTUAL_ENV|CONDA_PREFIX|CONDA_DEFAULT_ENV|__PYVENV_LAUNCHER__)$/;
/** These change no results and no packages; `bytecodeVariables` handles the first two. */
const HARMLESS = new Set([
  "PYTHONDONTWRITEBYTECODE",
  "PYTHONPYCACHEPREFIX",
  "PYTHONUNBUFFERED",
  "PYTHONFAULTHANDLER",
  "PYTHONSAFEPATH",
  "PYTHONNOUSERSITE",
]);

/** The variables of this process that are removed when the managed environment is created and run, sorted. */
export const ignoredVariables = (): string[] =>
  Object.keys(process.env)
    .filter((name) => process.env[name] !== "" && LEADS_AWAY.test(name) && !HARMLESS.has(name))
    .sort();

/** The same as changes to this process's variables. */
export const withoutIgnored = (): NodeJS.ProcessEnv =>
  Object.fromEntries(ignoredVariables().map((name) => [name, undefined]));
