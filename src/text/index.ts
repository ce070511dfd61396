export { textSource } from "./text-source.ts";
export { type Documents, PYTHON_DOCS, type TextPart, type TextSource, TextStream } from "./text-stream.ts";
