import type { HandleRef } from "../../protocol/index.ts";
import type { Worker } from "../../worker/index.ts";
import { SavedTensor } from "../saved-tensor.ts";
import { programOf, type Recording } from "./program.ts";
import { filled, releaseAll, type Traced, tensorsOf } from "./saves.ts";

/** The result of a trace: the saved tensors; `await using` frees all of them at once. */
export type TraceResult<T> = Traced<T> & AsyncDisposable;

export interface TraceOptions {
  readonly signal?: AbortSignal;
}

/** Runs a callback's recording, and replaces its marks by tensors. */
export const runTrace = async <T>(
  { worker, ref }: { readonly worker: Worker; readonly ref: HandleRef },
  recording: Recording<T>,
  options: TraceOptions,
): Promise<TraceResult<T>> => {
  const { program, frames, order, stop, gradients, located } = programOf(recording);
  const params = {
    model: ref,
    invokes: recording.recorder.invokes,
    program: program.map(({ operation }) => operation),
    stop,
    gradients,
  };
  const { saved } = await worker
    .call("trace.run", params, { frames, signal: options.signal })
    .catch((error: unknown) => {
      throw located(error);
    });
  const tensors = tensorsOf(worker, saved, order);
  const result: unknown = filled(recording.returned, tensors);
  if (!(result instanceof SavedTensor)) {
    const dispose = async () => await releaseAll([tensors]);
    Object.defineProperty(result as object, Symbol.asyncDispose, { value: dispose });
  }
  return result as TraceResult<T>;
};
