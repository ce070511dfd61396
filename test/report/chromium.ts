import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/** The machine's own Chromium; nothing is downloaded. Throws if there is none. */
export const openBrowser = async (): Promise<Browser> =>
  // Chromium has no sandbox for root, which CI runs as; it opens only our own page.
  await chromium.launch({ executablePath: findChromium(), args: ["--no-sandbox", "--disable-dev-shm-usage"] });

const findChromium = (): string => {
  const named = process.env.DICTLEARN_CHROMIUM;
  if (named !== undefined) return named;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    "The tests of the report need Chromium, and there is none: run `apt-get install chromium`, or name one with DICTLEARN_CHROMIUM.",
  );
};

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
