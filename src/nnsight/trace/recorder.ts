import type { Params, TraceOperation } from "../../protocol/index.ts";
import type { Worker } from "../../worker/index.ts";
import type { ModuleInfo } from "../modules.ts";
import { CallSite } from "./call-site.ts";
import type { Recorded } from "./schedule.ts";
import { ShapeMistake } from "./shape.ts";
import { TraceError } from "./trace-error.ts";

/** How an operation is recorded: the script's method, the values it takes, how many it creates, and when it happens. */
interface Recording {
  readonly name: string;
  readonly takes?: readonly number[];
  readonly makes?: number;
  /** The event of the forward pass at which it happens; without one, as soon as its operands are available. */
  readonly event?: number;
}

/** The operations of one trace in the order in which the script's callback records them, each with its line. */
export class Recorder {
  readonly worker: Worker;
  readonly modules: ReadonlyMap<string, ModuleInfo>;
  readonly operations: Recorded[] = [];
  /** Raw tensors sent with the program. */
  readonly frames: Uint8Array[] = [];
  readonly invokes: Params<"trace.run">["invokes"] = [];
  /** For every value: when it is available, and what recorded it. */
  readonly #values: { readonly time: number; readonly site: CallSite }[] = [];
  /** Where the trace itself was requested. */
  readonly #site: CallSite;
  #closed = false;

  constructor(worker: Worker, modules: readonly ModuleInfo[], site: CallSite) {
    this.worker = worker;
    this.#site = site;
    this.modules = new Map(modules.map((each) => [each.path, each]));
  }

  /**
   * Records one operation; `build` gets the numbers of the values that it creates, and they are returned. Throws
   * `trace_order` where an operand becomes available only after the operation's event.
   */
  record(recording: Recording, build: (ids: number[]) => TraceOperation): number[] {
    const { name, takes = [], makes = 1, event } = recording;
    const site = new CallSite(this.#site);
    if (this.#closed) {
      throw new TraceError("the trace's callback has returned, so nothing can be added to it any more", {
        code: "trace_misuse",
        operation: name,
        site,
        hint: "Use values only inside of the callback; what is needed later has to be saved and returned.",
      });
    }
    const latest = takes.reduce((last, id) => Math.max(last, this.#values[id]?.time ?? -1), -1);
    if (event !== undefined && latest > event) {
      const cause = takes.map((id) => this.#values[id]).find((value) => value?.time === latest);
      throw new TraceError(`it needs a value of ${String(cause?.site)}, which the forward pass has only later`, {
        code: "trace_order",
        operation: name,
        site,
        hint: "A value can only be used further on in the model. For use before, save it and run a second trace.",
      });
    }
    const time = event ?? latest;
    const ids = Array.from({ length: makes }, (_, index) => this.#values.length + index);
    for (let made = 0; made < makes; made++) this.#values.push({ time, site });
    this.operations.push({ operation: build(ids), time, takes, makes: ids, name, site });
    return ids;
  }

  /** Runs a check or a shape computation; a `ShapeMistake` becomes an error that names the script's line. */
  check<T>(name: string, compute: () => T): T {
    try {
      return compute();
    } catch (error) {
      if (!(error instanceof ShapeMistake)) throw error;
      throw this.error(name, "trace_shape", error.message);
    }
  }

  /** An error that names the script's line. */
  error(name: string, code: string, message: string, hint?: string): TraceError {
    return new TraceError(message, { code, operation: name, site: new CallSite(this.#site), hint });
  }

  /** After this, nothing can be recorded. */
  close(): void {
    this.#closed = true;
  }
}
