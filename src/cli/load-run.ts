import { loadConfig, type ResolvedRun, resolveRun } from "../config/index.ts";

/** The run that a config file and the command line's overrides ask for. */
export const loadRun = (path: string, overrides: Readonly<Record<string, string>>): ResolvedRun =>
  resolveRun(loadConfig(path, overrides));
