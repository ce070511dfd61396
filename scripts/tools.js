// Shared by check.js and test.js: running commands one after the other, and the Python with the development tools.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs a command with the terminal's streams, or returns its output with `capture`. */
export const run = (command, args, { capture = false, env = {}, cwd = root } = {}) => {
  const result = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, ...env },
    stdio: ["ignore", capture ? "pipe" : "inherit", "inherit"],
    maxBuffer: 2 ** 28,
  });
  if (result.error) throw result.error;
  return { ok: result.status === 0, output: result.stdout ?? "" };
};

/** A tool of node_modules. */
export const bin = (name) => join(root, "node_modules", ".bin", name);

/** The worker's Python, with the development tools of requirements-dev.txt installed into its environment once. */
export const developmentPython = () => {
  const { ok, output } = run(bin("tsx"), ["src/cli/main.ts", "setup", "--json"], { capture: true });
  if (!ok) throw new Error("The Python environment could not be made; see above.");
  const { python } = JSON.parse(output.trim().split("\n").at(-1));
  const requirements = join(root, "py_worker", "requirements-dev.txt");
  const hash = createHash("sha256").update(readFileSync(requirements)).digest("hex");
  const marker = join(dirname(python), "..", "dictlearn-dev");
  if (existsSync(marker) && readFileSync(marker, "utf8") === hash) return python;
  const installed = run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
  if (!installed.ok) throw new Error("The development tools could not be installed; see above.");
  writeFileSync(marker, hash);
  return python;
};
