import { ConfigError } from "../errors.ts";
import type { ResolvedRun } from "./resolve.ts";

interface Gap {
  readonly key: string;
  readonly asked: (run: ResolvedRun) => unknown;
}

/** What a config may say although this version cannot do it yet. */
const GAPS: readonly Gap[] = [
  {
    key: "architecture",
    asked: (run) => run.dictionaries.find(({ train }) => train.architecture !== "standard")?.train.architecture,
  },
];

/** Throws a `ConfigError` when the run asks for something that does not exist yet, rather than ignoring it. */
export const requireAvailable = (run: ResolvedRun): void => {
  for (const { key, asked } of GAPS) {
    const value = asked(run);
    if (value !== undefined) {
      throw new ConfigError(`The config sets ${key} to ${JSON.stringify(value)}, which this version cannot do yet.`, {
        hint: "Leave the key out.",
      });
    }
  }
};

/** What the user should know before the run starts. */
export const notices = ({ config }: ResolvedRun): string[] =>
  config.resume === "light"
    ? ["resume: light keeps no rows; a run that is resumed goes on with fresh text, so it ends otherwise."]
    : [];
