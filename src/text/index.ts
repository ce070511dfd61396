export { type Documents, PYTHON_DOCS, type TextSource, TextStream } from "./text-stream.ts";
