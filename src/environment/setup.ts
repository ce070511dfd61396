import { EnvironmentError } from "../errors.ts";
import { checkOptions, kinds, optionsOf } from "../options/index.ts";
import { buildEnvironment } from "./build.ts";
import { lockFolder } from "./lock.ts";
import { findReady, isReady, removeMarker, works } from "./managed.ts";
import type { SetupProgress } from "./pip-output.ts";
import { defaultPlaces, environmentFolder, interpreterIn, type Places } from "./places.ts";
import { checkChosen, chosenPython, findBasePython } from "./python.ts";

export interface EnvironmentOptions {
  /** The user's own interpreter; defaults to DICTLEARN_PYTHON, then to the managed environment. */
  readonly python?: string | undefined;
  /** Called only when setup has to create something or wait; the last call's stage is `Ready` or `Failed`. */
  readonly onProgress?: ((progress: SetupProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Create the managed environment again, whatever its state. */
  readonly repair?: boolean | undefined;
  /** Check a finished environment too, and create it again if something is missing; costs a short process. */
  readonly verify?: boolean | undefined;
}

const OPTIONS = optionsOf<EnvironmentOptions>({
  python: kinds.name("the path of an interpreter, as a text"),
  onProgress: kinds.callback(),
  signal: kinds.signal(),
  repair: kinds.flag(),
  verify: kinds.flag(),
});

/** The interpreter that the worker runs in. */
export interface PythonEnvironment {
  readonly python: string;
  /** Whether dictlearn created the environment, and so may change it. */
  readonly managed: boolean;
}

/**
 * The worker's Python: the user's own, checked, or the managed environment, which is created first if missing. Two
 * processes may call this at once: one creates it and the other waits. An existing environment costs two stats.
 *
 * @throws {EnvironmentError} No usable Python, or the setup failed; the next call starts from scratch.
 * @throws {CancelledError} `signal` fired.
 */
export const ensureEnvironment = async (
  options: EnvironmentOptions = {},
  places: Places = defaultPlaces(),
): Promise<PythonEnvironment> => {
  checkOptions(OPTIONS, options, "ensureEnvironment");
  const chosen = chosenPython(options.python);
  if (chosen !== undefined) return { python: await checkChosen(chosen, places), managed: false };
  const folder = await ensureManaged(options, places);
  return { python: interpreterIn(folder), managed: true };
};

const ensureManaged = async (options: EnvironmentOptions, places: Places): Promise<string> => {
  // Only an explicit base itself can tell its version.
  const found = process.env.DICTLEARN_BASE_PYTHON ? undefined : findReady(places);
  if (found !== undefined && (await isGood(found, options, places))) return found;
  const base = await findBasePython();
  const folder = environmentFolder(places, base.minor.join("."));
  if (found === undefined && isReady(folder) && (await isGood(folder, options, places))) return folder;
  // It is unusable, and must not be found before the new one.
  if (found !== undefined) await removeMarker(found);

  let stage: SetupProgress["stage"] | undefined;
  const report = (progress: SetupProgress): void => {
    stage = progress.stage;
    options.onProgress?.(progress);
  };
  const signal = options.signal ?? new AbortController().signal;
  try {
    const onWait = () =>
      report({ stage: "Waiting", detail: "for another process that makes the environment", done: 0, total: 0 });
    await using lock = await lockFolder(folder, signal, onWait);
    // The process waited for has created the requested environment.
    const alreadyMade = isReady(folder) && (lock.waited || (await isGood(folder, options, places)));
    if (!alreadyMade) {
      const either = AbortSignal.any([signal, lock.lost]);
      await buildEnvironment({ base, folder, places, signal: either, report }).catch((error: unknown) => {
        throw lock.lost.aborted && !signal.aborted ? takenOver(error) : error;
      });
    }
    if (stage !== undefined) report({ stage: "Ready", detail: folder, done: 0, total: 0 });
    return folder;
  } catch (error) {
    if (stage !== undefined) report({ stage: "Failed", detail: "", done: 0, total: 0 });
    throw error;
  }
};

const isGood = async (folder: string, { repair, verify }: EnvironmentOptions, places: Places): Promise<boolean> =>
  !repair && (!verify || (await works(folder, places)));

const takenOver = (cause: unknown): EnvironmentError =>
  new EnvironmentError(
    "Another process took over making the Python environment, because this one stood still for a while.",
    {
      hint: "Run the command again; it waits for the other one.",
      cause,
    },
  );
