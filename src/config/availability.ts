import { checkArchitecture } from "./cross-checks.ts";
import { idleKeys } from "./idle-keys.ts";
import { type ResolvedRun, trainKey } from "./resolve.ts";

/** Throws a `ConfigError` when the run asks for something that a config may name but this version cannot do yet. */
export const requireAvailable = ({ config, dictionaries }: ResolvedRun): void => {
  for (const [index, { train }] of dictionaries.entries()) checkArchitecture(train, trainKey(config, index));
};

/** Notices for the user before the run starts. */
export const notices = (run: ResolvedRun): string[] => [
  ...(run.config.resume === "light"
    ? ["resume: light keeps no rows; a run that is resumed goes on with fresh text, so it ends otherwise."]
    : []),
  ...idleKeys(run),
];
