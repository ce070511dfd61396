export { configJson } from "./config-json.ts";
export { type DictionaryFolder, OutputFolder, writeJson } from "./output-folder.ts";
