import { closest, distance } from "fastest-levenshtein";

/** Commands whose config may come from standard input. */
const READ_STANDARD_INPUT = new Set(["train", "bench"]);
/** Maximum distance from a command at which a word counts as a typo. */
const FARTHEST = 3;

/**
 * The words of the command line in the form that yargs understands: `help train` is `train --help`, a dash is standard
 * input, and words after `--` are literal. `mistaken` is called for errors that yargs would ignore.
 */
export const plainWords = (
  words: readonly string[],
  commands: readonly string[],
  mistaken: (message: string) => never,
): string[] => {
  let plain = [...words];
  if (plain[0] === "help") plain = [...plain.slice(1).filter((word) => !isHelp(word)), "--help"];
  const command = plain.find((word) => !word.startsWith("-"));
  if (plain.some(isHelp) && command !== undefined && !commands.includes(command)) {
    const near = closest(command, [...commands]);
    mistaken(distance(command, near) <= FARTHEST ? `Did you mean ${near}?` : `Unknown command: ${command}`);
  }
  const end = plain.indexOf("--");
  if (end !== -1) {
    const after = plain.slice(end + 1);
    const option = after.find((word) => word.startsWith("-") && word !== "-");
    if (option !== undefined) mistaken(`dictlearn ${command ?? "<command>"} has no place for ${option}.`);
    plain = [...plain.slice(0, end), ...after];
  }
  if (plain.includes("-") && !READ_STANDARD_INPUT.has(command ?? "")) {
    mistaken(`dictlearn ${command ?? "<command>"} has no place for -, standard input.`);
  }
  return plain.map((word) => (word === "-" ? "/dev/stdin" : word));
};

const isHelp = (word: string): boolean => word === "--help" || word === "-h";
