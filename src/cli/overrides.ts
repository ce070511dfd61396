import { closest, distance } from "fastest-levenshtein";
import { kindsOf } from "../config/index.ts";
import { ConfigError } from "../errors.ts";

/** The options of a command that are config keys, as they were typed: path → text. `own`: the command's own options. */
export const configOverrides = (
  argv: Readonly<Record<string, unknown>>,
  own: ReadonlySet<string>,
  command: string,
): Record<string, string> => {
  const found: Record<string, string> = {};
  for (const [key, value] of Object.entries(argv)) {
    if (own.has(key) || YARGS.has(key) || value === undefined) continue;
    if (Array.isArray(value)) throw new ConfigError(`--${key} is given ${value.length} times; give it once.`);
    if (kindsOf(key).size === 0) requireNoSlip(key, own, command);
    // An option without a value is true.
    if (value === true && !kindsOf(key).has("boolean") && kindsOf(key).size > 0) {
      throw new ConfigError(`--${key} needs a value after it.`, { code: "usage" });
    }
    found[key] = String(value as string | number | boolean);
  }
  return found;
};

const YARGS = new Set(["_", "$0", "help", "h", "version", "V", "verbose"]);
/** Maximum distance from one of the command's options at which an option counts as a typo, not as a config key. */
const FARTHEST = 2;

/** Throws for anything that cannot be a config key: a single letter, or a mistyped option of the command. */
const requireNoSlip = (key: string, own: ReadonlySet<string>, command: string): void => {
  const near = closest(
    key,
    [...own, "resume", "verbose", "help", "version"].filter((each) => each !== "config"),
  );
  if (key.length > 1 && distance(key, near) > FARTHEST) return;
  throw new ConfigError(`dictlearn ${command} has no option ${key.length > 1 ? "-" : ""}-${key}.`, {
    code: "usage",
    hint: `${key.length > 1 ? `Did you mean --${near}? ` : ""}\`dictlearn ${command} --help\` lists the options.`,
  });
};
