import { existsSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { ConfigError } from "../errors.ts";
import { makeFolder, requirePlace } from "../make-folder.ts";
import { recipePath, recipes, shipped } from "../shipped.ts";
import { writeWhole } from "../write-whole.ts";

/** Copies a shipped config; the copy's first line points to the schema, relative to the copy. */
export const init = async (file: string, from: string): Promise<void> => {
  const recipe = recipePath(from);
  if (recipe === undefined) {
    throw new ConfigError(`There is no config ${from} to copy.`, { hint: `There are ${recipes().join(", ")}.` });
  }
  if (!/\.ya?ml$/.test(file)) {
    throw new ConfigError(`${file} is no name for a config.`, { hint: `Call it ${file}.yaml.` });
  }
  if (existsSync(file)) {
    throw new ConfigError(`${file} is there already, and is not replaced.`, { hint: "Choose another name." });
  }
  requirePlace(file);
  makeFolder(dirname(resolve(file)));
  const schema = relative(dirname(resolve(file)), resolve(shipped("configs/schema.json"))).replaceAll("\\", "/");
  // Without a leading dot, an editor may look for it in the workspace's folder.
  const place = isAbsolute(schema) || schema.startsWith(".") ? schema : `./${schema}`;
  await writeWhole(file, readFileSync(recipe, "utf8").replace(/\$schema=\S+/, `$schema=${place}`));
  console.log(`${file}\nNext: npx dictlearn train ${file} --dry-run`);
};
