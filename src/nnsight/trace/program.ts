import { RemoteError } from "../../worker/index.ts";
import type { CallSite } from "./call-site.ts";
import type { Recorder } from "./recorder.ts";
import { savesIn } from "./saves.ts";
import { type Recorded, type Schedule, schedule } from "./schedule.ts";
import { TraceError } from "./trace-error.ts";

/** A callback that was recorded: `returned` is what it returned, `site` the line that asked for the trace. */
export interface Recording<T> {
  readonly recorder: Recorder;
  readonly returned: T;
  readonly site: CallSite;
}

/** What is sent of a recording. */
export interface Program extends Schedule {
  /** Tensors that travel with it. */
  readonly frames: readonly Uint8Array[];
  /** Which of the script's saves the program's are: it saves in the order of the forward pass, the script counts in its own. */
  readonly order: readonly number[];
  /** A failure of the worker as one that names the line of the operation that it belongs to. */
  readonly located: (error: unknown) => unknown;
}

/** Ends a recording. Of its saves those are kept that the callback returned: the script could not free the others. */
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
