import { RemoteError } from "../../worker/index.ts";
import type { CallSite } from "./call-site.ts";
import type { Recorder } from "./recorder.ts";
import { savesIn } from "./saves.ts";
import { type Recorded, type Schedule, schedule } from "./schedule.ts";
import { TraceError } from "./trace-error.ts";

/** A recorded callback: `returned` is its return value, `site` the line that requested the trace. */
export interface Recording<T> {
  readonly recorder: Recorder;
  readonly returned: T;
  readonly site: CallSite;
}

/** The part of a recording that is sent. */
export interface Program extends Schedule {
  /** Tensors sent with it. */
  readonly frames: readonly Uint8Array[];
  /**
   * Maps the program's saves to the script's: the program saves in the order of the forward pass, the script counts in
   * its own order.
   */
  readonly order: readonly number[];
  /** Converts a failure of the worker into one that names the line of the failed operation. */
  readonly located: (error: unknown) => unknown;
}

/** Ends a recording. Keeps only the saves that the callback returned: the script could not free the others. */
export const programOf = ({ recorder, returned, site }: Recording<unknown>): Program => {
  recorder.close();
  const wanted = savesIn(returned, recorder, site);
  const saves = recorder.operations.filter(isSave);
  const unwanted = new Set(saves.filter((_, number) => !wanted.has(number)));
  const end = recorder.modules.get("")?.output?.event ?? Number.POSITIVE_INFINITY;
  const scheduled = schedule(
    recorder.operations.filter((each) => !unwanted.has(each)),
    end,
  );
  return {
    ...scheduled,
    frames: recorder.frames,
    order: scheduled.program.filter(isSave).map((each) => saves.indexOf(each)),
    located: (error) => located(error, scheduled.program, site),
  };
};

const isSave = ({ operation }: Recorded): boolean => operation.op === "save";

const located = (error: unknown, program: readonly Recorded[], site: CallSite): unknown => {
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
