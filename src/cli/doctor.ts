import type { CommandModule } from "yargs";
import type { Check } from "../environment/index.ts";

interface DoctorArguments {
  readonly python?: string | undefined;
  readonly json: boolean;
}

export const doctorCommand: CommandModule<object, DoctorArguments> = {
  command: "doctor",
  describe: "Say what is installed, what is missing and what to do about it",
  builder: (yargs) =>
    yargs
      .option("python", { type: "string", describe: "Look at this Python instead of the managed environment" })
      .option("json", { type: "boolean", default: false, describe: "Print the findings as one JSON object" })
      .strictOptions()
      .example("$0 doctor", "Is everything in order?")
      .example("$0 doctor --python .venv/bin/python", "Would this Python do?")
      .example("$0 doctor --json", "For a report of a problem, or for a program")
      .epilogue("Nothing is installed. The exit code is 0 when everything is in order, and 1 otherwise.") as never,
  handler: async ({ python, json }) => {
    const { diagnose } = await import("../environment/index.ts");
    const diagnosis = await diagnose({ python });
    console.log(json ? JSON.stringify(diagnosis) : table(diagnosis.checks));
    process.exitCode = diagnosis.ok ? 0 : 1;
  },
};

const table = (checks: readonly Check[]): string => {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const rows = checks.map(({ name, ok, value, fix }) => {
    const row = `${ok ? "ok" : "!!"}  ${name.padEnd(width)}  ${value}`;
    return fix === undefined ? row : `${row}\n    ${" ".repeat(width)}  → ${fix}`;
  });
  const wrong = checks.filter(({ ok }) => !ok).length;
  const last =
    wrong === 0
      ? "Everything is in order. Next: npx dictlearn train"
      : `${wrong} of ${checks.length} checks found something wrong.`;
  return `${rows.join("\n")}\n\n${last}`;
};
