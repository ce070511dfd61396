export { FORMATS, type FoundFiles, findFiles } from "./detect.ts";
export type { Format, FormatName } from "./format.ts";
export { type ReadDictionary, readDictionary, readProvenance } from "./read.ts";
export { writeDictionary } from "./write.ts";
