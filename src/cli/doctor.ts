import { styleText } from "node:util";
import type { CommandModule } from "yargs";

interface DoctorArguments {
  readonly python?: string | undefined;
  readonly json: boolean;
}

export const doctorCommand: CommandModule<object, DoctorArguments> = {
  command: "doctor",
  describe: "Say what is installed, what is missing, and what to do",
  builder: (yargs) =>
    yargs
      .option("python", { type: "string", describe: "Look at this Python instead of the managed environment" })
      .option("json", { type: "boolean", default: false, describe: "Print the diagnosis as JSON" })
      .example("$0 doctor", "One line for each thing that dictlearn needs")
      .example("$0 doctor --json", "The same for a program") as never,
  handler: async ({ python, json }) => {
    const { diagnose } = await import("../environment/index.ts");
    const diagnosis = await diagnose({ python });
    if (json) {
      process.stdout.write(`${JSON.stringify(diagnosis, undefined, 2)}\n`);
    } else {
      const width = Math.max(...diagnosis.checks.map(({ name }) => name.length));
      for (const { name, ok, value, fix } of diagnosis.checks) {
        const mark = ok ? styleText("green", "ok ") : styleText("red", "no ");
        process.stdout.write(`${mark} ${name.padEnd(width)}  ${value}${fix === undefined ? "" : `\n    → ${fix}`}\n`);
      }
    }
    process.exitCode = diagnosis.ok ? 0 : 1;
  },
};
