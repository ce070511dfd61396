// npm run bench [-- names]: every benchmark, or those named. Each prints a table of ratios that were measured in this one run.
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { ensureEnvironment, setupProgress } from "../src/environment/index.ts";
import { benchDraw } from "./draw.ts";
import { benchHarvest } from "./harvest.ts";
import { benchLoop } from "./loop.ts";
import { benchMany } from "./many.ts";
import { report } from "./report.ts";
import { benchResume } from "./resume.ts";
import { benchRpc } from "./rpc.ts";
import { benchStep } from "./step.ts";
import { markdown } from "./table.ts";
import { benchTrace } from "./trace.ts";

const benches = {
  rpc: benchRpc,
  harvest: benchHarvest,
  draw: benchDraw,
  step: (python: string) => benchStep(python, 8192),
  "step-large": (python: string) => benchStep(python, 32_768),
  many: benchMany,
  loop: benchLoop,
  resume: benchResume,
  trace: benchTrace,
};
type Name = keyof typeof benches;

const names = Object.keys(benches) as Name[];
const {
  names: chosen,
  json,
  write,
} = (await yargs(hideBin(process.argv))
  .usage("npm run bench -- [names…]")
  .command("$0 [names..]", "Measure", (command) =>
    command
      .positional("names", { array: true, choices: names, default: names, describe: "Which ones" })
      .option("json", { type: "boolean", default: false, describe: "One JSON object a line" })
      .option("write", { type: "boolean", default: false, describe: "Also write them into docs/benchmarks.md" }),
  )
  .strict()
  .parseAsync()) as unknown as { names: Name[]; json: boolean; write: boolean };

const { python } = await ensureEnvironment({ onProgress: setupProgress() });
for (const name of chosen) {
  const table = await benches[name](python);
  if (json) console.log(JSON.stringify({ name, ...table }));
  else console.log(`\n${markdown(table)}`);
  if (write) await report(name, table);
}
