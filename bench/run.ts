// npm run bench [-- names]: every benchmark except the long ones, or the named ones. Each prints a table of ratios.
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { ensureEnvironment, setupProgress } from "../src/environment/index.ts";
import { benchDraw } from "./draw.ts";
import { benchEndToEnd } from "./end-to-end.ts";
import { benchHarvest } from "./harvest.ts";
import { benchLoop } from "./loop.ts";
import { benchMany } from "./many.ts";
import { benchMemory } from "./memory.ts";
import { benchPeers } from "./peers.ts";
import { benchPeersEndToEnd } from "./peers-end-to-end.ts";
import { report } from "./report.ts";
import { benchResume } from "./resume.ts";
import { benchRpc } from "./rpc.ts";
import { benchSizes } from "./sizes.ts";
import { benchStartUp } from "./start-up.ts";
import { benchStep } from "./step.ts";
import { titled } from "./table.ts";
import { benchTrace } from "./trace.ts";

const benches = {
  rpc: benchRpc,
  harvest: benchHarvest,
  draw: benchDraw,
  step: (python: string) => benchStep(python, 8192),
  "step-large": (python: string) => benchStep(python, 32_768),
  peers: (python: string) => benchPeers(python, 8192),
  "peers-large": (python: string) => benchPeers(python, 32_768, ["dictlearn"]),
  "peers-end-to-end": benchPeersEndToEnd,
  many: benchMany,
  loop: benchLoop,
  "end-to-end": benchEndToEnd,
  "start-up": benchStartUp,
  sizes: benchSizes,
  memory: (python: string) => benchMemory(python, 0.1, 8192),
  "memory-large": (python: string) => benchMemory(python, 0.1, 32_768),
  "memory-full": (python: string) => benchMemory(python, 1, 8192),
  "memory-full-large": (python: string) => benchMemory(python, 1, 32_768),
  resume: benchResume,
  trace: benchTrace,
};
type Name = keyof typeof benches;

/** They take minutes, so they run only when named. */
const LONG: readonly Name[] = ["peers-large", "peers-end-to-end", "memory-large", "memory-full", "memory-full-large"];
const names = Object.keys(benches) as Name[];
const usual = names.filter((name) => !LONG.includes(name));
const {
  names: chosen,
  json,
  write,
} = (await yargs(hideBin(process.argv))
  .usage("npm run bench -- [names…]")
  .command("$0 [names..]", "Measure", (command) =>
    command
      .positional("names", { array: true, choices: names, default: usual, describe: "Which ones" })
      .option("json", { type: "boolean", default: false, describe: "One JSON object a line" })
      .option("write", { type: "boolean", default: false, describe: "Also write them into docs/benchmarks.md" }),
  )
  .strict()
  .parseAsync()) as unknown as { names: Name[]; json: boolean; write: boolean };

const { python } = await ensureEnvironment({ onProgress: setupProgress() });
for (const name of chosen) {
  const table = await benches[name](python);
  if (json) console.log(JSON.stringify({ name, ...table }));
  else console.log(`\n${titled(table)}`);
  if (write) await report(name, table);
}
