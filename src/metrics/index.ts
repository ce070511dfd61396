export { JsonlSink } from "./jsonl.ts";
