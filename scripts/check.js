// npm run check: formatting, lint, types and stale generated files, in both languages. All of them run; any failure fails.
import { join } from "node:path";
import { bin, developmentPython, root, run } from "./tools.js";

const python = developmentPython();
const checks = [
  ["biome", bin("biome"), ["check", "--error-on-warnings", "."]],
  ["oxlint", bin("oxlint"), ["--type-aware", "--deny-warnings"]],
  ["tsc", bin("tsc"), ["-p", "tsconfig.json"]],
  ["generated files", bin("tsx"), ["scripts/generate.ts", "--check"]],
  ["ruff", python, ["-m", "ruff", "check", "."], "py_worker"],
  ["ruff format", python, ["-m", "ruff", "format", "--check", "."], "py_worker"],
  ["pyright", python, ["-m", "pyright", "--pythonpath", python], "py_worker"],
];

const failed = checks.filter(([name, command, args, folder = "."]) => {
  const { ok } = run(command, args, { cwd: join(root, folder) });
  console.log(`${ok ? "ok    " : "FAILED"} ${name}`);
  return !ok;
});
process.exitCode = failed.length === 0 ? 0 : 1;
