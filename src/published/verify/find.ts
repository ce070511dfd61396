import { existsSync } from "node:fs";
import { join } from "node:path";
import { type DictionaryOnDisk, dictionariesAt } from "../../evaluate/targets.ts";
import type { PublishedDictionary } from "../published-set.ts";

/**
 * The files of a published dictionary in `directory`, released or trained again; undefined where there are none.
 * `alone`: the folder is known to hold no other set, so a folder named only after the site belongs to this one.
 */
export const findDictionary = (
  directory: string,
  dictionary: PublishedDictionary,
  alone: boolean,
): DictionaryOnDisk | undefined => {
  const folder = placesOf(dictionary, alone)
    .filter((place) => place !== "")
    .map((place) => join(directory, place))
    .find((place) => existsSync(join(place, "ae.pt")));
  if (folder === undefined) return undefined;
  const [found] = dictionariesAt(folder);
  return found && { ...found, name: `${dictionary.set}/${dictionary.site}` };
};

const placesOf = ({ folder, set, site }: PublishedDictionary, alone: boolean): string[] => [
  // A mirror or a download, from its top folder or from the model's.
  folder,
  folder.split("/").slice(1).join("/"),
  // Runs of configs/pythia-70m-deduped: of one set, from the folder above it or from its own, and of several sets.
  join(set, site),
  `${site}.${set}`,
  ...(alone ? [site] : []),
];
