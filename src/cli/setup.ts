import type { CommandModule } from "yargs";

interface SetupArguments {
  readonly python?: string | undefined;
  readonly repair: boolean;
  readonly json: boolean;
}

export const setupCommand: CommandModule<object, SetupArguments> = {
  command: "setup",
  describe: "Make the Python environment of the worker (train does it by itself at first use)",
  builder: (yargs) =>
    yargs
      .option("python", { type: "string", describe: "Check this Python instead of making an environment" })
      .option("repair", { type: "boolean", default: false, describe: "Make the environment anew" })
      .option("json", { type: "boolean", default: false, describe: "Print the result as JSON" })
      .example("$0 setup", "Make the environment, or say that it is there")
      .example("$0 setup --repair", "Throw it away and make it anew") as never,
  handler: async ({ python, repair, json }) => {
    const { ensureEnvironment, setupProgress } = await import("../environment/index.ts");
    const show = setupProgress();
    let shown = false;
    const environment = await ensureEnvironment({
      python,
      repair,
      onProgress: (progress) => {
        shown = true;
        show(progress);
      },
    });
    if (shown) show({ stage: "Done", done: 1, total: 1 });
    if (json) process.stdout.write(`${JSON.stringify(environment)}\n`);
    else process.stdout.write(`The worker uses ${environment.python}.\nNext: npx dictlearn train\n`);
  },
};
