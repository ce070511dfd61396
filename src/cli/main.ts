#!/usr/bin/env node
import yargs, { type CommandModule } from "yargs";
import { hideBin } from "yargs/helpers";
import { version } from "../version.ts";
import { benchCommand } from "./bench.ts";
import { watchOutput } from "./closed-output.ts";
import { convertCommand } from "./convert.ts";
import { doctorCommand } from "./doctor.ts";
import { downloadCommand } from "./download.ts";
import { evaluateCommand } from "./evaluate.ts";
import { reportFailure } from "./failure.ts";
import { initCommand } from "./init.ts";
import { inspectCommand } from "./inspect.ts";
import { reportCommand } from "./report.ts";
import { setupCommand } from "./setup.ts";
import { trainCommand } from "./train.ts";
import { usageError } from "./usage-error.ts";
import { verifyCommand } from "./verify.ts";
import { plainWords } from "./words.ts";

/** The error that yargs found in the command line. */
class UsageMistake extends Error {}

const words = hideBin(process.argv);
const COMMANDS = [
  trainCommand,
  evaluateCommand,
  reportCommand,
  downloadCommand,
  verifyCommand,
  convertCommand,
  inspectCommand,
  benchCommand,
  initCommand,
  setupCommand,
  doctorCommand,
] as unknown as readonly CommandModule[];
const NAMES = COMMANDS.map(({ command }) => String(command).split(" ", 1)[0] ?? "");

watchOutput();

const parser = yargs();
try {
  const args = plainWords(words, NAMES, (message) => {
    throw new UsageMistake(message);
  });
  await parser
    .scriptName("dictlearn")
    .locale("en")
    .usage("$0 <command>\n\nLearns sparse dictionaries on the activations of language models.")
    // Config keys are overridden by their dotted path: --train.lr 1e-3
    .parserConfiguration({
      "dot-notation": false,
      "camel-case-expansion": false,
      "parse-numbers": false,
      "boolean-negation": false,
    })
    .command([...COMMANDS])
    .demandCommand(1, `Say what to do: ${NAMES.slice(0, -1).join(", ")} or ${NAMES.at(-1)}.`)
    .strictCommands()
    .recommendCommands()
    .option("verbose", { type: "boolean", default: false, describe: "With an error, print its traceback too" })
    .example("$0 train", "Train a first dictionary, on SmolLM2 and Python's documentation")
    .example("$0 train quickstart --train.lr 2e-3 --output runs/lr-2e-3", "The same with another learning rate")
    .example("$0 evaluate runs/quickstart", "Say how good it is")
    .example("$0 report runs/quickstart", "A page about it, with its features and where they fire")
    .example("$0 init my.yaml", "A config of your own")
    .example("$0 bench my.yaml", "How long would it take here?")
    .example("$0 doctor", "Say what is installed and what is missing")
    .epilogue("`dictlearn <command> --help` explains a command.")
    .version(version)
    .help()
    .alias("help", "h")
    .alias("version", "V")
    .middleware((argv) => {
      const empty = Object.entries(argv).find(([key, value]) => key !== "$0" && value === "");
      if (empty !== undefined) throw new UsageMistake(`Not enough arguments following: ${empty[0]}`);
    }, true)
    .fail((message, error) => {
      throw error === undefined || error.name === "YError" ? new UsageMistake(message) : error;
    })
    .parseAsync(args);
} catch (mistake) {
  const command = (words[0] === "help" ? words.slice(1) : words).find((arg) => !arg.startsWith("-"));
  const error =
    mistake instanceof UsageMistake ? usageError(mistake.message, { command, help: await parser.getHelp() }) : mistake;
  process.exitCode = reportFailure(error, { verbose: words.includes("--verbose") });
}
