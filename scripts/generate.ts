// Writes every generated file, or with --check lists the stale ones and fails.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { benchmarkPages } from "../bench/report.ts";
import { configJsonSchema } from "../src/config/json-schema.ts";
import { generatePython } from "../src/protocol/python.ts";
import { configPage } from "./config-page.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const files: Record<string, string> = {
  ...Object.fromEntries(
    Object.entries(generatePython()).map(([name, text]) => [`py_worker/dictlearn_worker/protocol/${name}`, text]),
  ),
  "configs/schema.json": configJsonSchema(),
  "docs/config.md": configPage(),
  ...benchmarkPages(),
};

const stale = Object.entries(files).filter(
  ([path, text]) => !existsSync(root + path) || readFileSync(root + path, "utf8") !== text,
);
if (process.argv.includes("--check")) {
  for (const [path] of stale) console.error(`${path} is stale: run \`npm run generate\`.`);
  process.exit(stale.length === 0 ? 0 : 1);
}
for (const [path, text] of stale) {
  mkdirSync(dirname(root + path), { recursive: true });
  writeFileSync(root + path, text);
  console.log(`wrote ${path}`);
}
