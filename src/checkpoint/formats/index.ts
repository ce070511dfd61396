export { FORMATS, type FoundFiles, findFiles } from "./detect.ts";
export type { Format, FormatName, Provenance, StoredShape } from "./format.ts";
export { type ReadDictionary, readDictionary } from "./read.ts";
export { type WrittenFolder, writeDictionary } from "./write.ts";
