import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import lockfile from "proper-lockfile";
import { z } from "zod";
import { DictlearnError } from "../errors.ts";
import { errorCode } from "../system-errors.ts";
import { cannotWrite } from "./cannot-write.ts";

const LOCK = ".lock";
const OWNER = ".lock.json";
/** Names of this module's files in the folder that is locked. */
export const LOCK_FILES: readonly string[] = [LOCK, OWNER];

/** A lock untouched for this long has lost its owner, whatever machine that was on. */
const STALE_MS = 30_000;
const UPDATE_MS = 10_000;
/** The same when the owner is known to be dead: the shortest time that proper-lockfile accepts. */
const STALE_OF_DEAD_MS = 2_000;

const Owner = z.object({ pid: z.int().positive(), host: z.string() });
type Owner = z.output<typeof Owner>;

/** A folder that this process alone writes into. */
export interface FolderLock extends AsyncDisposable {
  /** Throws when the lock was lost, because this process or its disk stalled for long. */
  check(): void;
}

/** Locks a folder. Throws `output_in_use`, with the pid and host of the run that holds it. */
export const lockFolder = async (path: string): Promise<FolderLock> => {
  let lost: Error | undefined;
  const onCompromised = (error: Error) => {
    lost = error;
  };
  const release = await acquire(path, onCompromised);
  try {
    writeFileSync(join(path, OWNER), `${JSON.stringify({ pid: process.pid, host: hostname() })}\n`);
  } catch (error) {
    await release().catch(() => undefined);
    throw cannotWrite(path, error);
  }
  return {
    check() {
      if (lost === undefined) return;
      throw new DictlearnError(`The lock of the output folder ${path} was lost: ${lost.message}.`, {
        code: "output_in_use",
        hint: "Look whether another run writes into it, or whether its disk is still there.",
      });
    },
    async [Symbol.asyncDispose]() {
      if (lost !== undefined) return;
      try {
        rmSync(join(path, OWNER), { force: true });
        await release();
      } catch {
        // The disk is gone or read-only, and the run's error says so; the lock goes stale with this process.
      }
    },
  };
};

/** Throws `output_in_use` when a living run holds the folder. Does not lock or wait. */
export const checkUnlocked = (path: string): void => {
  const lockfilePath = join(path, LOCK);
  const owner = readOwner(path);
  if (!existsSync(lockfilePath) || (owner !== undefined && isDead(owner))) return;
  if (lockfile.checkSync(path, { lockfilePath, stale: STALE_MS, realpath: false })) throw inUse(path, owner);
};

const acquire = async (path: string, onCompromised: (error: Error) => void): Promise<() => Promise<void>> => {
  const options = { lockfilePath: join(path, LOCK), update: UPDATE_MS, realpath: false, onCompromised };
  // A dead owner's lock is taken over once it is old enough that no third process can have just taken it.
  for (const end = performance.now() + 2 * STALE_OF_DEAD_MS; ; ) {
    const owner = readOwner(path);
    const dead = owner !== undefined && isDead(owner);
    try {
      return await lockfile.lock(path, { ...options, stale: dead ? STALE_OF_DEAD_MS : STALE_MS });
    } catch (error) {
      if (errorCode(error) !== "ELOCKED") throw cannotWrite(path, error);
      if (!dead || performance.now() > end) throw inUse(path, owner);
    }
    await sleep(100);
  }
};

const readOwner = (path: string): Owner | undefined => {
  try {
    return Owner.parse(JSON.parse(readFileSync(join(path, OWNER), "utf8")));
  } catch {
    return undefined;
  }
};

/** Only processes of this machine can be known to be gone. */
const isDead = ({ pid, host }: Owner): boolean => {
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return errorCode(error) === "ESRCH";
  }
};

const inUse = (path: string, owner: Owner | undefined): DictlearnError => {
  const who = owner === undefined ? "" : ` (process ${owner.pid} on ${owner.host})`;
  return new DictlearnError(`Another run is writing into the output folder ${path}${who}.`, {
    code: "output_in_use",
    hint: "Wait until it ends, or choose another folder with --output.",
  });
};
