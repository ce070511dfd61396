import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "../write-whole.ts";
import { environmentFolder, interpreterIn, type Places } from "./places.ts";
import { type Interpreter, isUsable, probe } from "./probe.ts";
import { ALLOWED } from "./python.ts";
import { withoutIgnored } from "./shell-variables.ts";

/** Written last: an environment without it is incomplete, whatever else it holds. */
const MARKER = "dictlearn.json";

/** Whether the environment in this folder is finished and its interpreter still exists; two stats, no process. */
export const isReady = (folder: string): boolean =>
  // existsSync follows the link to the base Python, which a system upgrade may have removed.
  existsSync(join(folder, MARKER)) && existsSync(interpreterIn(folder));

/** Every possible folder of an environment for these pins, preferred Python first. */
const folders = (places: Places): string[] => ALLOWED.map((version) => environmentFolder(places, version.join(".")));

/** The folder of a finished environment for any allowed Python. */
export const findReady = (places: Places): string | undefined => folders(places).find(isReady);

/** The folder of an environment that was started or finished earlier, but is not ready. */
export const findBroken = (places: Places): string | undefined =>
  folders(places).find((folder) => existsSync(folder) && !isReady(folder));

/** Whether the environment's interpreter starts and finds every module; one short process. */
export const works = async (folder: string, { modules }: Places): Promise<boolean> => {
  const found = await probe(
    interpreterIn(folder),
    modules.map(({ module }) => module),
    withoutIgnored(),
  );
  return isUsable(found) && found.missing.length === 0;
};

/** Marks the environment as complete; on disk once this resolves. */
export const writeMarker = async (folder: string, base: Interpreter): Promise<void> => {
  const content = { base: base.path, python: base.version, made: new Date().toISOString() };
  await writeWhole(join(folder, MARKER), `${JSON.stringify(content, null, 2)}\n`);
};

/** Marks the environment as unusable, before anything in it changes. */
export const removeMarker = async (folder: string): Promise<void> => {
  await rm(join(folder, MARKER), { force: true });
};
