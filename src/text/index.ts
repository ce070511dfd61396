export { checkData, partKind } from "./documents.ts";
export { textSource } from "./text-source.ts";
export { type Documents, PYTHON_DOCS, seeded, type TextPart, type TextSource, TextStream } from "./text-stream.ts";
