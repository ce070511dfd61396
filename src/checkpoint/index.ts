export { configJson } from "./config-json.ts";
export {
  FORMATS,
  type Format,
  type FormatName,
  type FoundFiles,
  findFiles,
  type Provenance,
  type ReadDictionary,
  readDictionary,
  writeDictionary,
} from "./formats/index.ts";
export { NewFolder } from "./new-folder.ts";
export { type DictionaryFolder, OutputFolder, writeJson } from "./output-folder.ts";
