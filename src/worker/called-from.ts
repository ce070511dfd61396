/** Frames from where an error came up to the script that asked for it. */
const FRAMES = 30;

/**
 * An error that arrived from the worker, with the stack of the function that waits for it instead of the socket's. V8 follows
 * the chain of awaits up to the script, and nothing is recorded before there is an error. Python's own traceback is its cause.
 */
export const calledFrom = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = Math.max(limit, FRAMES);
  Error.captureStackTrace(error, calledFrom);
  Error.stackTraceLimit = limit;
  return error;
};
