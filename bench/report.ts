import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { writeWhole } from "../src/write-whole.ts";
import { markdown, type Table } from "./table.ts";

const FILE = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));
const HEAD = `# Benchmarks

Written by \`npm run bench -- --write [names]\`, which replaces the sections it measures. Both sides of a table take turns in one
run, so the ratios say more than the times.
`;

/** Puts what was measured into docs/benchmarks.md, in place of what was there under the same name. */
export const report = async (name: string, table: Table): Promise<void> => {
  const kept = new Map(sections().map((section) => [section.split("\n", 1)[0]?.slice(3) ?? "", section.trimEnd()]));
  const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "an unknown CPU"}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  const date = new Date().toISOString().slice(0, 10);
  kept.set(name, `## ${name}\n\n${date}, ${machine}. ${markdown(table)}`);
  const all = [...kept].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, section]) => section);
  await writeWhole(FILE, `${[HEAD, ...all].join("\n\n").replace("\n\n\n", "\n\n")}\n`);
};

/** The sections that are there already, each from its heading on. */
const sections = (): string[] => {
  try {
    return readFileSync(FILE, "utf8")
      .split(/^(?=## )/m)
      .slice(1);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
};
