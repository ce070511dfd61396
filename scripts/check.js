// npm run check: formatting, lint, types and stale generated files, in both languages. All of them run; any failure fails.
import { bin, developmentPython, run } from "./tools.js";

const python = developmentPython();
const checks = [
  ["biome", bin("biome"), ["check", "--error-on-warnings", "."]],
  ["oxlint", bin("oxlint"), ["--type-aware", "--deny-warnings"]],
  ["tsc", bin("tsc"), ["-p", "tsconfig.json"]],
  ["generated files", bin("tsx"), ["scripts/generate.ts", "--check"]],
  ["ruff", python, ["-m", "ruff", "check", "--config", "py_worker/pyproject.toml", "py_worker"]],
  ["ruff format", python, ["-m", "ruff", "format", "--check", "--config", "py_worker/pyproject.toml", "py_worker"]],
  ["pyright", python, ["-m", "pyright", "-p", "py_worker", "--pythonpath", python]],
];

const failed = checks.filter(([name, command, args]) => {
  const { ok } = run(command, args);
  console.log(`${ok ? "ok    " : "FAILED"} ${name}`);
  return !ok;
});
process.exitCode = failed.length === 0 ? 0 : 1;
