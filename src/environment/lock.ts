import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { lock } from "proper-lockfile";
import { CancelledError, DictlearnError, EnvironmentError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { reasonOf } from "../system-errors.ts";

/** A lock that its owner has not touched for this long belongs to a killed process. */
const STALE_MS = 15_000;
const UPDATE_MS = 3_000;
const POLL_MS = 300;

/** The lock of a folder, held until it is disposed of. */
export interface FolderLock extends AsyncDisposable {
  /** Whether another process held it first. */
  readonly waited: boolean;
  /** Fires when another process took the lock, because this one slept (a closed lid) for longer than STALE_MS. */
  readonly lost: AbortSignal;
}

/**
 * Locks a folder, which need not exist, among all processes of the machine, by a lock next to it.
 *
 * @throws {EnvironmentError} The lock cannot be written. @throws {CancelledError} `signal` fired while waiting.
 */
export const lockFolder = async (folder: string, signal: AbortSignal, onWait: () => void): Promise<FolderLock> => {
  const lost = new AbortController();
  const options = { realpath: false, stale: STALE_MS, update: UPDATE_MS, onCompromised: () => lost.abort() };
  let waited = false;
  for (;;) {
    if (signal.aborted) throw new CancelledError();
    try {
      makeFolder(dirname(folder));
      const release = await lock(folder, options);
      const unlock = async (): Promise<void> => {
        // This process no longer owns it: nothing to release.
        if (!lost.signal.aborted) await release();
      };
      return { waited, lost: lost.signal, [Symbol.asyncDispose]: unlock };
    } catch (error) {
      if (!isHeld(error)) {
        throw new EnvironmentError(
          error instanceof DictlearnError
            ? `The cache folder cannot be used: ${error.message}`
            : `The cache folder ${dirname(folder)} cannot be written: ${reasonOf(error)}.`,
          { code: "no_place", hint: "Name another one with DICTLEARN_CACHE.", cause: error },
        );
      }
    }
    if (!waited) onWait();
    waited = true;
    await sleep(POLL_MS, undefined, { signal }).catch(() => {});
  }
};

const isHeld = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ELOCKED";
