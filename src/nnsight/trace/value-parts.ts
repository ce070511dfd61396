import type { DictionaryOrigin } from "../../places/index.ts";
import type { HandleRef, TraceOperation } from "../../protocol/index.ts";
import type { Worker } from "../../worker/index.ts";
import type { Recorder } from "./recorder.ts";
import type { Index } from "./shape.ts";

/** The part of a dictionary that a trace needs; an `AutoEncoder` is one. */
export interface TraceDictionary {
  readonly worker: Worker;
  readonly ref: HandleRef;
  readonly shape: { readonly inputWidth: number; readonly outputWidth: number; readonly size: number };
  /** Where it was trained, if known. */
  readonly origin?: DictionaryOrigin | null;
}

export interface EncodeOptions {
  /** Allow a place where the dictionary was not trained; without it, that is an error. */
  readonly transfer?: boolean;
}

/** Marks a value that the callback returns: it stays in the worker, and becomes a `SavedTensor`. */
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
  /** Keep the dimensions, with size 1. */
  readonly keep?: boolean;
}

/** Throws if an object lives in a different worker than the model. */
export const requireSameWorker = (recorder: Recorder, worker: Worker, name: string, what: string): void => {
  if (worker === recorder.worker) return;
  const hint = "Load both with the same worker: { worker: model.worker }.";
  throw recorder.error(name, "trace_misuse", `this ${what} is in another worker than the model`, hint);
};

/** An index as it is sent. */
export const wireIndex = (index: Index): Extract<TraceOperation, { op: "pick" }>["index"] => {
  if (typeof index === "number") return index;
  return "length" in index ? [...index] : { start: index.from ?? null, stop: index.to ?? null };
};
