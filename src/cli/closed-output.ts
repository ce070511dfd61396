import { errorCode, reasonOf } from "../system-errors.ts";

/**
 * The reader of the output may exit (`dictlearn … | head`): further output is then dropped, and the work finishes or
 * stops cleanly; see `Interrupt`. Any other write failure is a separate error.
 */
export const watchOutput = (): void => {
  let reason: string | undefined;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      if (!isClosed(error)) reason = reasonOf(error);
    });
  }
  process.once("exit", () => {
    if (reason === undefined) return;
    process.exitCode = 1;
    process.stderr.write(`dictlearn: What is printed could not be written: ${reason}.\n`);
  });
};

/** Whether a write failed because the reader has exited. */
export const isClosed = (error: unknown): boolean => errorCode(error) === "EPIPE";
