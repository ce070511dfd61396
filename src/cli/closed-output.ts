import { errorCode, reasonOf } from "../system-errors.ts";

/**
 * Whoever reads the output may go (`dictlearn … | head`): what is still printed is then dropped, and the work is brought to
 * its end or stopped in order; see `Interrupt`. Output that cannot be written for another reason is an error of its own.
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

/** Whether writing failed because nobody reads any more. */
export const isClosed = (error: unknown): boolean => errorCode(error) === "EPIPE";
