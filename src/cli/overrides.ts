import { ConfigError } from "../errors.ts";

/** The options of a command that are config keys, as they were typed: path → text. `own`: the command's own options. */
export const configOverrides = (
  argv: Readonly<Record<string, unknown>>,
  own: ReadonlySet<string>,
): Record<string, string> => {
  const found: Record<string, string> = {};
  for (const [key, value] of Object.entries(argv)) {
    if (own.has(key) || YARGS.has(key) || value === undefined) continue;
    if (Array.isArray(value)) throw new ConfigError(`--${key} is given ${value.length} times; give it once.`);
    found[key] = String(value as string | number | boolean);
  }
  return found;
};

const YARGS = new Set(["_", "$0", "help", "h", "version", "verbose"]);
