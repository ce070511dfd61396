export { FORMATS, findFiles } from "./detect.ts";
export type { Format, FormatName } from "./format.ts";
export { type ReadDictionary, readDictionary } from "./read.ts";
export { writeDictionary } from "./write.ts";
