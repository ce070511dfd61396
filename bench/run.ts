// npm run bench [-- names]: every benchmark, or those named. Each prints a table of ratios that were measured in this one run.
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { ensureEnvironment, setupProgress } from "../src/environment/index.ts";
import { benchDraw } from "./draw.ts";
import { benchLoop } from "./loop.ts";
import { benchResume } from "./resume.ts";
import { benchRpc } from "./rpc.ts";
import { benchStep } from "./step.ts";
import { printTable } from "./table.ts";

const benches = { rpc: benchRpc, draw: benchDraw, step: benchStep, loop: benchLoop, resume: benchResume };
type Name = keyof typeof benches;

const names = Object.keys(benches) as Name[];
const { names: chosen, json } = (await yargs(hideBin(process.argv))
  .usage("npm run bench -- [names…]")
  .command("$0 [names..]", "Measure", (command) =>
    command
      .positional("names", { array: true, choices: names, default: names, describe: "Which ones" })
      .option("json", { type: "boolean", default: false, describe: "One JSON object a line" }),
  )
  .strict()
  .parseAsync()) as unknown as { names: Name[]; json: boolean };

const { python } = await ensureEnvironment({ onProgress: setupProgress() });
for (const name of chosen) {
  const table = await benches[name](python);
  if (json) console.log(JSON.stringify({ name, ...table }));
  else printTable(table);
}
