import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The path of a file that ships with the package, the same from `src/` and from `dist/`. */
const inPackage = (file: string): string => fileURLToPath(new URL(`../${file}`, import.meta.url));

/** The same path as a user in this folder would write it. */
export const shipped = (file: string): string => {
  const near = relative(process.cwd(), inPackage(file));
  return near.startsWith("..") ? inPackage(file) : near;
};

/** The names of the configs that ship with the package: `quickstart`, `pythia-70m-deduped/0_8192`, … */
export const recipes = (): string[] =>
  readdirSync(inPackage("configs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => name.replaceAll("\\", "/").replace(/\.yaml$/, ""))
    .sort();

/** The file of such a config, by its name or by its path in this repository; undefined for any other name. */
export const recipePath = (name: string): string | undefined => {
  const plain = name.replace(/^(\.\/)?configs\//, "").replace(/\.yaml$/, "");
  return recipes().includes(plain) ? join(inPackage("configs"), `${plain}.yaml`) : undefined;
};
