import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { expect } from "vitest";
import { writeConfig } from "../cli/support.ts";
import { Life } from "./life.ts";

const LOCK_OWNER = ".lock.json";
const CLOCK = new Set(["seconds", "steps_per_second", "tokens_per_second"]);

/**
 * Every file of a finished run: the hash of its bytes, and the metrics without the clock. Not config.json, which names the
 * folder, nor the name of the lock's owner, which a process killed after its last write could not remove.
 */
export const outputs = (folder: string): Record<string, string> => {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true }) as string[]) {
    const file = join(folder, entry);
    if (!statSync(file).isFile() || entry.endsWith("config.json") || entry === LOCK_OWNER) continue;
    const bytes = readFileSync(file);
    found[relative(folder, file)] = entry.endsWith("metrics.jsonl")
      ? withoutClock(bytes)
      : createHash("sha256").update(bytes).digest("hex");
  }
  return found;
};

const withoutClock = (bytes: Buffer): string =>
  bytes
    .toString()
    .split("\n")
    .map((line) => (line === "" ? "" : JSON.stringify(JSON.parse(line), (key, value) => (CLOCK.has(key) ? 0 : value))))
    .join("\n");

/** The files of an undisturbed run of a config. */
export const undisturbed = async (config: object): Promise<Record<string, string>> => {
  const { file, output } = writeConfig(config);
  const { code, stderr } = await (await Life.start([file])).end();
  expect(code, stderr).toBe(0);
  const files = outputs(output);
  expect(Object.keys(files)).toEqual(expect.arrayContaining(["ae.pt", "metrics.jsonl"]));
  expect(Object.keys(files).filter((name) => name.startsWith("resume"))).toEqual([]);
  return files;
};
