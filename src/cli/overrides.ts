import { kindsOf } from "../config/index.ts";
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
    // Without a value after it, an option is true.
    if (value === true && !kindsOf(key).has("boolean") && kindsOf(key).size > 0) {
      throw new ConfigError(`--${key} needs a value after it.`, { code: "usage" });
    }
    found[key] = String(value as string | number | boolean);
  }
  return found;
};

const YARGS = new Set(["_", "$0", "help", "h", "version", "verbose"]);
