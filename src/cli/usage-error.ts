import { closest } from "fastest-levenshtein";
import { ConfigError } from "../errors.ts";

/** Rewords yargs's message about an invalid command line. `command` is the first word; `help` is its help text. */
export const usageError = (
  message: string,
  { command, help }: { readonly command: string | undefined; readonly help: string },
): ConfigError => {
  const known = command !== undefined && help.startsWith(`dictlearn ${command}`);
  const name = known ? `dictlearn ${command}` : "dictlearn";
  const see = `\`${name} --help\` says what there is.`;
  for (const [pattern, say] of SENTENCES) {
    const found = pattern.exec(message);
    if (found === null) continue;
    const { text, hint } = say(found, { name, known, command, help });
    return new ConfigError(text, { code: "usage", hint: hint === undefined ? see : `${hint} ${see}` });
  }
  return new ConfigError(message, { code: "usage", hint: see });
};

interface Situation {
  readonly name: string;
  readonly known: boolean;
  readonly command: string | undefined;
  readonly help: string;
}

type Say = (found: RegExpExecArray, situation: Situation) => { readonly text: string; readonly hint?: string };

const SENTENCES: readonly (readonly [RegExp, Say])[] = [
  [
    /^Unknown arguments?: ([^\s,]+)/,
    ([, option = ""], { name, help }) => ({
      text: `${name} has no option --${option}.`,
      hint: `Did you mean --${closest(option, optionsIn(help))}?`,
    }),
  ],
  [
    /^Did you mean (.+)\?$/,
    ([, near = ""], { command }) => ({ text: `There is no command ${command}.`, hint: `Did you mean ${near}?` }),
  ],
  [
    /^Unknown commands?: ([\s\S]+)$/,
    ([, words = ""], { name, known }) => ({
      text: known ? `${name} has no place for ${words}.` : `There is no command ${words}.`,
    }),
  ],
  [
    /^Not enough non-option arguments: got (\d+), need at least (\d+)/,
    ([, got, needed], { help }) => {
      const missing = Number(needed) - Number(got);
      return {
        text: `${missing === 1 ? "One argument is" : `${missing} arguments are`} missing: ${help.split("\n", 1)[0]}.`,
      };
    },
  ],
  [
    /^Missing required arguments?: (\S+?),?(?:\s+([\s\S]+))?$/,
    ([, option = "", hint], { name }) => ({
      text: `${name} needs --${option}.`,
      ...(hint === undefined ? {} : { hint }),
    }),
  ],
  [/^Not enough arguments following: (\S+)/, ([, option = ""]) => ({ text: `--${option} needs a value after it.` })],
  [
    /Argument: (\S+), Given: (.*), Choices: (.*)/,
    ([, option = "", given = "", choices = ""]) => ({ text: `--${option} is ${given}, but allowed is ${choices}.` }),
  ],
];

const optionsIn = (help: string): string[] => [...help.matchAll(/--([a-z][a-z-]*)/g)].map(([, option = ""]) => option);
