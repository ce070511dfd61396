import { readFileSync } from "node:fs";

const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** dictlearn's version, from its package.json. */
export const version: string =
  manifest !== null && typeof manifest === "object" && "version" in manifest ? String(manifest.version) : "unknown";
