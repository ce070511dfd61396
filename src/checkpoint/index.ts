export { cannotWrite } from "./cannot-write.ts";
export { configJson } from "./config-json.ts";
export {
  FORMATS,
  type Format,
  type FormatName,
  type FoundFiles,
  findFiles,
  type ReadDictionary,
  readDictionary,
  readProvenance,
  writeDictionary,
} from "./formats/index.ts";
export { changedTexts, fingerprint, type InputFile } from "./input-files.ts";
export { NewFolder } from "./new-folder.ts";
export { type ClaimOptions, type DictionaryFolder, OutputFolder } from "./output-folder.ts";
export { type Durable, ResumeFolder } from "./resume-folder.ts";
export { configOf, type ResumeState, type RunRecord, scriptOf } from "./resume-state.ts";
export { rewind, staleCheckpoints } from "./rewind.ts";
export { writeFile, writeJson } from "./write-file.ts";
