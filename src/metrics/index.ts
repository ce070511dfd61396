export { JsonlSink } from "./jsonl.ts";
export { TrainingClock } from "./training-clock.ts";
