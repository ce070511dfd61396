import type { CommandModule } from "yargs";

interface InitArguments {
  readonly file: string;
  readonly from: string;
}

export const initCommand: CommandModule<object, InitArguments> = {
  command: "init [file]",
  describe: "Write a config of your own to begin with, a copy of one that comes with dictlearn",
  builder: (yargs) =>
    yargs
      .positional("file", { type: "string", default: "my.yaml", describe: "The file to write" })
      .option("from", { type: "string", default: "quickstart", describe: "The config to copy" })
      .strictOptions()
      .example("$0 init my.yaml", "The quickstart's config, with what each key does")
      .example("$0 init pythia.yaml --from pythia-70m-deduped/0_8192", "Six dictionaries of 2023, trained again")
      .epilogue("Its first line tells editors where the schema is, so that they check and complete its keys.") as never,
  handler: async ({ file, from }) => {
    const { init } = await import("./run-init.ts");
    await init(file, from);
  },
};
