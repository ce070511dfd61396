import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import envPaths from "env-paths";

/** The exact packages of the worker; the same file from `src/` and from `dist/`. */
export const requirementsFile = fileURLToPath(new URL("../../py_worker/requirements.txt", import.meta.url));

/** Where environments and converted models are kept: DICTLEARN_CACHE, or the user's cache folder. */
export const cacheFolder = (): string => process.env.DICTLEARN_CACHE || envPaths("dictlearn", { suffix: "" }).cache;

/** One environment, and the files around it. */
export interface EnvironmentPaths {
  readonly folder: string;
  readonly python: string;
  /** Written last: an environment without it is not whole. */
  readonly marker: string;
  readonly lock: string;
}

/** The managed environment for these requirements, of which there can be several side by side. */
export const environmentPaths = (requirements: string = requirementsFile): EnvironmentPaths => {
  const key = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 16);
  const folder = join(cacheFolder(), "environments", key);
  return {
    folder,
    python: join(folder, "bin", "python"),
    marker: join(folder, "dictlearn-ready.json"),
    lock: `${folder}.lock`,
  };
};

/** The pinned packages, one per line of the requirements. */
export const pinnedPackages = (requirements: string = requirementsFile): string[] =>
  readFileSync(requirements, "utf8")
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line.includes("=="))
    .map((line) => line.slice(0, line.indexOf("==")));
