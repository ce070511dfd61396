import type { CommandModule } from "yargs";
import { CancelledError } from "../errors.ts";
import { Interrupt } from "./interrupt.ts";

interface SetupArguments {
  readonly python?: string | undefined;
  readonly repair: boolean;
  readonly json: boolean;
}

export const setupCommand: CommandModule<object, SetupArguments> = {
  command: "setup",
  describe: "Make the Python environment of the worker, or check the one that is there",
  builder: (yargs) =>
    yargs
      .option("python", { type: "string", describe: "Check this Python instead; nothing is installed into it" })
      .option("repair", { type: "boolean", default: false, describe: "Make the environment anew, whatever its state" })
      .option("json", { type: "boolean", default: false, describe: "Print the result as one JSON object" })
      .strictOptions()
      .example("$0 setup", "Make the environment, once; `dictlearn train` does so by itself too")
      .example("$0 setup --repair", "Make it anew")
      .example("$0 setup --python .venv/bin/python", "Does this Python have what the worker needs?")
      .epilogue(
        "DICTLEARN_CACHE moves the environment, DICTLEARN_BASE_PYTHON names the Python to make it from, and\nDICTLEARN_PYTHON one to use as it is.",
      ) as never,
  handler: async ({ python, repair, json }) => {
    const { ensureEnvironment, setupProgress } = await import("../environment/index.ts");
    const onFirst = (): void => console.error("\nStopping. What was begun is made anew the next time.");
    using interrupt = new Interrupt({ onFirst, onSecond: () => {} });
    const start = performance.now();
    try {
      const onProgress = setupProgress();
      const environment = await ensureEnvironment({
        python,
        repair,
        onProgress,
        verify: true,
        signal: interrupt.signal,
      });
      const seconds = Number(((performance.now() - start) / 1000).toFixed(1));
      console.log(json ? JSON.stringify({ ...environment, seconds }) : summary(environment));
    } catch (error) {
      if (!(error instanceof CancelledError && interrupt.signal.aborted)) throw error;
      process.exitCode = 130;
    }
  },
};

const summary = ({ python, managed }: { python: string; managed: boolean }): string =>
  `${managed ? "Python environment" : "Your Python has what the worker needs"}: ${python}\nNext: npx dictlearn train`;
