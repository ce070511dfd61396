import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { writeWhole } from "../src/write-whole.ts";
import { comparison } from "./comparison.ts";
import { type Measured, type Table, titled } from "./table.ts";

const ROOT = new URL("../", import.meta.url);
const RESULTS = new URL("bench/results/", ROOT);

const HEAD = `# Benchmarks

Generated from bench/results, where \`npm run bench -- --write [names]\` puts the tables that it measures. Both sides of a
table take turns in one run, so trust the ratios more than the times.
`;

/** Saves a table in bench/results, and updates the pages generated from it. */
export const report = async (name: string, table: Table): Promise<void> => {
  const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "an unknown CPU"}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  const measured: Measured = { date: new Date().toISOString().slice(0, 10), machine, ...table };
  await writeWhole(fileURLToPath(new URL(`${name}.json`, RESULTS)), `${JSON.stringify(measured, undefined, 2)}\n`);
  for (const [path, text] of Object.entries(benchmarkPages())) {
    await writeWhole(fileURLToPath(new URL(path, ROOT)), text);
  }
};

/** docs/benchmarks.md, and the README with its comparison: text by path. */
export const benchmarkPages = (): Readonly<Record<string, string>> => {
  const results = readResults();
  const sections = Object.entries(results).map(
    ([name, { date, machine, ...table }]) => `## ${name}\n\n${date}, ${machine}. ${titled(table)}`,
  );
  const readme = readFileSync(new URL("README.md", ROOT), "utf8");
  return {
    "docs/benchmarks.md": `${[HEAD.trimEnd(), ...sections].join("\n\n")}\n`,
    "README.md": between(readme, "comparison", comparison(results)),
  };
};

/** The latest tables by name, in alphabetical order. */
const readResults = (): Readonly<Record<string, Measured>> =>
  Object.fromEntries(
    readdirSync(RESULTS)
      .map((file) => basename(file, ".json"))
      .sort()
      .map((name) => [name, JSON.parse(readFileSync(new URL(`${name}.json`, RESULTS), "utf8")) as Measured]),
  );

/** The page with the text between its two `name` comments replaced. Throws if the page has no such comments. */
const between = (page: string, name: string, text: string): string => {
  const place = new RegExp(`(<!-- ${name} -->\n).*?(<!-- /${name} -->)`, "s");
  if (!place.test(page)) throw new Error(`The page has no <!-- ${name} --> … <!-- /${name} -->.`);
  return page.replace(place, (_, begin: string, end: string) => `${begin}\n${text}\n\n${end}`);
};
