import type { Result } from "../../protocol/index.ts";
import type { Worker } from "../../worker/index.ts";
import { SavedTensor } from "../saved-tensor.ts";
import type { CallSite } from "./call-site.ts";
import type { Recorder } from "./recorder.ts";
import { TraceError } from "./trace-error.ts";
import { Saved } from "./value-parts.ts";

/** The return value of a trace's callback: saved values, in any nesting of arrays and objects; or nothing. */
export type Saves = Saved | readonly Saves[] | { readonly [key: string]: Saves };

/** The same with tensors in place of the marks. */
export type Traced<T> = 0 extends T & 1 // any, of which the type would be endless
  ? unknown
  : T extends Saved
    ? SavedTensor
    : { [Key in keyof T]: Traced<T[Key]> };

/** The tensors of one run of a program, by the number of their save in the script. */
export type Tensors = ReadonlyMap<number, SavedTensor>;

/** The numbers of the saves in a callback's return value. Throws `trace_misuse` if it holds anything else. */
export const savesIn = (returned: unknown, recorder: Recorder, site: CallSite): ReadonlySet<number> => {
  const found = new Set<number>();
  const collect = (part: unknown): void => {
    if (part instanceof Saved) {
      if (part.recorder !== recorder) {
        const hint = "Return value.save() of this trace's values.";
        throw misuse("the callback returns what another trace saves", site, hint);
      }
      found.add(part.number);
      return;
    }
    if (part instanceof Promise) {
      throw misuse("the callback is async, but it is only recorded", site, "Make it a plain function.");
    }
    const plain = Array.isArray(part) || Object.getPrototypeOf(part ?? 0) === Object.prototype;
    if (!plain) throw misuse("the callback returns something that is not saved", site, "Return value.save().");
    for (const each of Object.values(part as object)) collect(each);
  };
  collect(returned);
  return found;
};

/** `order`: which of the script's saves each of the worker's answers belongs to. */
export const tensorsOf = (worker: Worker, saved: Result<"trace.run">["saved"], order: readonly number[]): Tensors => {
  const tensors = new Map<number, SavedTensor>();
  for (const [index, tensor] of saved.entries()) tensors.set(order[index] ?? 0, new SavedTensor(worker, tensor));
  return tensors;
};

/** The callback's return value, with tensors in place of its marks. */
export const filled = <T>(returned: T, tensors: Tensors): Traced<T> => fill(returned, tensors) as Traced<T>;

const fill = (returned: unknown, tensors: Tensors): unknown => {
  if (returned instanceof Saved) return tensors.get(returned.number);
  if (Array.isArray(returned)) return returned.map((each) => fill(each, tensors));
  if (typeof returned !== "object" || returned === null) return returned;
  return Object.fromEntries(Object.entries(returned).map(([key, each]) => [key, fill(each, tensors)]));
};

/** Frees the tensors of some runs. */
export const releaseAll = async (runs: readonly Tensors[]): Promise<void> => {
  await Promise.all(runs.flatMap((each) => [...each.values()]).map(async (tensor) => await tensor.release()));
};

const misuse = (message: string, site: CallSite, hint: string): TraceError =>
  new TraceError(message, { code: "trace_misuse", operation: "trace", site, hint });
