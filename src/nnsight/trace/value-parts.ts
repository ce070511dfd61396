import type { DictionaryOrigin } from "../../places/index.ts";
import type { HandleRef, TraceOperation } from "../../protocol/index.ts";
import type { Worker } from "../../worker/index.ts";
import type { Recorder } from "./recorder.ts";
import type { Index } from "./shape.ts";

/** What a trace needs of a dictionary; an `AutoEncoder` is one. */
export interface TraceDictionary {
  readonly worker: Worker;
  readonly ref: HandleRef;
  readonly shape: { readonly inputWidth: number; readonly outputWidth: number; readonly size: number };
  /** Where it was trained, where that is known. */
  readonly origin?: DictionaryOrigin | null;
}

export interface EncodeOptions {
  /** Also at a place where the dictionary was not trained; without it, another place than its own is an error. */
  readonly transfer?: boolean;
}

/** Marks what the callback returns: it is kept in the worker, and comes back as a `SavedTensor`. */
export class Saved {
  readonly recorder: Recorder;
  readonly number: number;
  /** `number` counts the saves of the trace that `recorder` records. */
  constructor(recorder: Recorder, number: number) {
    this.recorder = recorder;
    this.number = number;
  }
}

export interface ReduceOptions {
  /** The dimensions stay, with size 1. */
  readonly keep?: boolean;
}

/** Throws when something lives in another worker than the model. */
export const requireSameWorker = (recorder: Recorder, worker: Worker, name: string, what: string): void => {
  if (worker === recorder.worker) return;
  const hint = "Load both with the same worker: { worker: model.worker }.";
  throw recorder.error(name, "trace_misuse", `this ${what} is in another worker than the model`, hint);
};

/** An index as it travels. */
export const wireIndex = (index: Index): Extract<TraceOperation, { op: "pick" }>["index"] => {
  if (typeof index === "number") return index;
  return "length" in index ? [...index] : { start: index.from ?? null, stop: index.to ?? null };
};
