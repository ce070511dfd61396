import { ConfigError } from "../errors.ts";
import type { ResolvedRun } from "./resolve.ts";

/** Throws a `ConfigError` when the run asks for what a config may say although this version cannot do it yet. */
export const requireAvailable = ({ dictionaries }: ResolvedRun): void => {
  const other = dictionaries.find(({ train }) => train.architecture !== "standard");
  if (other === undefined) return;
  const value = JSON.stringify(other.train.architecture);
  throw new ConfigError(`The config sets architecture to ${value}, which this version cannot do yet.`, {
    hint: "Leave the key out.",
  });
};

/** What the user should know before the run starts. */
export const notices = ({ config }: ResolvedRun): string[] =>
  config.resume === "light"
    ? ["resume: light keeps no rows; a run that is resumed goes on with fresh text, so it ends otherwise."]
    : [];
