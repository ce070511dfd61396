import type { HandleRef } from "../../protocol/index.ts";
import { RemoteError, type Worker } from "../../worker/index.ts";
import { SavedTensor } from "../saved-tensor.ts";
import type { CallSite } from "./call-site.ts";
import type { Recorder } from "./recorder.ts";
import { type Recorded, schedule } from "./schedule.ts";
import { TraceError } from "./trace-error.ts";
import { Saved } from "./value-parts.ts";

/** What a trace's callback may return: saved values, nested in arrays and objects as it likes; or nothing. */
export type Saves = Saved | readonly Saves[] | { readonly [key: string]: Saves };

/** The same with tensors in the place of the marks. */
export type Traced<T> = 0 extends T & 1 // any, of which the type would be endless
  ? unknown
  : T extends Saved
    ? SavedTensor
    : { [Key in keyof T]: Traced<T[Key]> };

/** What a trace gives: the saved tensors; `await using` frees all of them at once. */
export type TraceResult<T> = Traced<T> & AsyncDisposable;

export interface TraceOptions {
  readonly signal?: AbortSignal;
}

/** Runs what a callback recorded, and puts tensors in the place of its marks. `site` is the line of the trace itself. */
export const runTrace = async <T>(
  { worker, ref }: { readonly worker: Worker; readonly ref: HandleRef },
  { recorder, returned, site }: { readonly recorder: Recorder; readonly returned: T; readonly site: CallSite },
  options: TraceOptions,
): Promise<TraceResult<T>> => {
  recorder.close();
  const wanted = new Set<number>();
  collectSaves(returned, { recorder, site, wanted });
  const saves = recorder.operations.filter(isSave);
  // What the script has no way to get at, it could not free either.
  const unwanted = new Set(saves.filter((_, number) => !wanted.has(number)));
  const end = recorder.modules.get("")?.output?.event ?? Number.POSITIVE_INFINITY;
  const { program, stop, gradients } = schedule(
    recorder.operations.filter((each) => !unwanted.has(each)),
    end,
  );
  const params = {
    model: ref,
    invokes: recorder.invokes,
    program: program.map(({ operation }) => operation),
    stop,
    gradients,
  };
  const call = { frames: recorder.frames, signal: options.signal };
  const { saved } = await worker.call("trace.run", params, call).catch((error: unknown) => {
    throw located(error, program, site);
  });
  // The program saves in the order of the forward pass, the script counted in its own.
  const tensors = new Map<number, SavedTensor>();
  for (const [index, each] of program.filter(isSave).entries()) {
    const tensor = saved[index];
    if (tensor !== undefined) tensors.set(saves.indexOf(each), new SavedTensor(worker, tensor));
  }
  return disposable(fill(returned, tensors), tensors) as TraceResult<T>;
};

const isSave = ({ operation }: Recorded): boolean => operation.op === "save";

/**
 * What a callback recorded for every pass of a generation. Nothing of it can be saved, and gradients are not kept. `end` of a
 * pass does not matter: generation needs its logits.
 */
export const recordedSteps = (recorder: Recorder, returned: unknown, site: CallSite): readonly Recorded[] => {
  recorder.close();
  if (returned !== undefined) {
    const hint = "Run a trace over what was generated, and save its values.";
    throw misuse("intervene returns something, but a generation saves nothing", site, hint);
  }
  const { program, gradients } = schedule(
    recorder.operations.filter((each) => !isSave(each)),
    Number.POSITIVE_INFINITY,
  );
  if (!gradients) return program;
  const gradient = program.find(({ operation }) => operation.op === "gradient");
  throw new TraceError("a generation keeps no gradients", {
    code: "trace_gradient",
    operation: "gradient",
    site: gradient?.site ?? site,
    hint: "Take the gradient in a trace, and use what it saved.",
  });
};

const misuse = (message: string, site: CallSite, hint: string): TraceError =>
  new TraceError(message, { code: "trace_misuse", operation: "trace", site, hint });

interface Collecting {
  readonly recorder: Recorder;
  readonly site: CallSite;
  readonly wanted: Set<number>;
}

/** The numbers of the saves in what the callback returned. */
const collectSaves = (returned: unknown, { recorder, site, wanted }: Collecting): void => {
  if (returned instanceof Saved) {
    if (returned.recorder !== recorder) {
      throw misuse(
        "the callback returns what another trace saves",
        site,
        "Return value.save() of this trace's values.",
      );
    }
    wanted.add(returned.number);
    return;
  }
  if (returned instanceof Promise) {
    throw misuse("the callback is async, but it is only recorded", site, "Make it a plain function.");
  }
  const plain = Array.isArray(returned) || Object.getPrototypeOf(returned ?? 0) === Object.prototype;
  if (!plain) throw misuse("the callback returns something that is not saved", site, "Return value.save().");
  for (const each of Object.values(returned as object)) collectSaves(each, { recorder, site, wanted });
};

const fill = (returned: unknown, tensors: ReadonlyMap<number, SavedTensor>): unknown => {
  if (returned instanceof Saved) return tensors.get(returned.number);
  if (Array.isArray(returned)) return returned.map((each) => fill(each, tensors));
  if (typeof returned !== "object" || returned === null) return returned;
  return Object.fromEntries(Object.entries(returned).map(([key, each]) => [key, fill(each, tensors)]));
};

/** Makes arrays and objects free all tensors of the trace when they are disposed of. */
const disposable = (result: unknown, tensors: ReadonlyMap<number, SavedTensor>): unknown => {
  if (typeof result !== "object" || result === null || result instanceof SavedTensor) return result;
  const dispose = async (): Promise<void> => {
    await Promise.all([...tensors.values()].map(async (tensor) => await tensor.release()));
  };
  return Object.defineProperty(result, Symbol.asyncDispose, { value: dispose });
};

/** A failure of the worker as one that names the line of the operation that it belongs to. */
export const located = (error: unknown, program: readonly Recorded[], site: CallSite): unknown => {
  if (!(error instanceof RemoteError) || !("operation" in error.data)) return error;
  const { operation, python, in_model } = error.data;
  const culprit = typeof operation === "number" ? program[operation] : undefined;
  const message = in_model === true ? `the model failed behind it: ${error.message}` : error.message;
  return new TraceError(message, {
    code: error.code,
    operation: culprit?.name ?? "trace",
    site: culprit?.site ?? site,
    python: typeof python === "string" ? python : undefined,
    hint: error.hint,
    cause: error.cause,
  });
};
