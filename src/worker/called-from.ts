/** Stack frames from an error's origin up to the script that made the call. */
const FRAMES = 30;

/**
 * Gives an error from the worker the stack of the awaiting function instead of the socket's. V8 follows the chain of
 * awaits up to the script, and nothing is recorded before an error occurs. Python's traceback is its cause.
 */
export const calledFrom = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = Math.max(limit, FRAMES);
  Error.captureStackTrace(error, calledFrom);
  Error.stackTraceLimit = limit;
  return error;
};
