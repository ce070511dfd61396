import { DictlearnError } from "../errors.ts";
import {
  type Check,
  deviceCheck,
  diskCheck,
  LEAST_DISK,
  memoryCheck,
  nodeCheck,
  packageChecks,
  REPAIR,
  SETUP_DISK,
  variablesCheck,
  zeromqCheck,
} from "./checks.ts";
import { type Findings, inspect } from "./inspect.ts";
import { findBroken, findReady, isReady } from "./managed.ts";
import { defaultPlaces, environmentFolder, interpreterIn, type Places, pins } from "./places.ts";
import { checkChosen, chosenPython, findBasePython } from "./python.ts";

/** The current machine and worker environment; memory in bytes. */
export interface Diagnosis {
  readonly ok: boolean;
  /** The interpreter that the worker uses; null when there is none yet. */
  readonly python: string | null;
  readonly versions: Readonly<Record<string, string>>;
  readonly devices: Findings["devices"];
  readonly checks: readonly Check[];
}

/** Checks everything that a run needs, and installs nothing. */
export const diagnose = async (
  options: { readonly python?: string | undefined } = {},
  places: Places = defaultPlaces(),
): Promise<Diagnosis> => {
  const { python, managed, check } = await locate(options.python, places);
  const zeromq = await zeromqCheck();
  const checks: Check[] = [nodeCheck(process.versions.node), zeromq, check];
  const versions: Record<string, string> = { node: process.versions.node };
  if (zeromq.ok) versions.zeromq = zeromq.value;
  let devices: Findings["devices"] = [];
  if (python !== null && check.ok) {
    try {
      const found = await inspect({ python, managed });
      checks[2] = { ...check, value: `${found.python}, ${check.value}` };
      checks.push(...packageChecks(found, pins(places), managed), deviceCheck(found));
      versions.python = found.python;
      for (const [name, { version }] of Object.entries(found.packages)) if (version !== null) versions[name] = version;
      devices = found.devices;
    } catch (error) {
      if (!(error instanceof DictlearnError)) throw error;
      checks[2] = {
        ...check,
        ok: false,
        value: error.message,
        fix: managed ? REPAIR : `Run ${python} by hand to see why.`,
      };
    }
  }
  checks.push(
    variablesCheck(managed),
    memoryCheck(),
    await diskCheck("disk of the cache", places.cache, check.ok ? LEAST_DISK : SETUP_DISK),
  );
  checks.push(await diskCheck("disk of this folder", process.cwd(), LEAST_DISK));
  return { ok: checks.every(({ ok }) => ok), python, versions, devices, checks };
};

/** The interpreter that a run would use, without creating it. */
const locate = async (
  python: string | undefined,
  places: Places,
): Promise<{ python: string | null; managed: boolean; check: Check }> => {
  const name = "python";
  const chosen = chosenPython(python);
  try {
    if (chosen !== undefined) {
      const path = await checkChosen(chosen, places);
      return { python: path, managed: false, check: { name, ok: true, value: `${path} (${chosen.by})` } };
    }
    const ready = await findManaged(places);
    if (ready !== undefined) {
      const path = interpreterIn(ready);
      return { python: path, managed: true, check: { name, ok: true, value: `${path} (managed)` } };
    }
    const broken = findBroken(places);
    const value =
      broken === undefined
        ? "the managed environment does not exist yet"
        : `the environment in ${broken} is half made or broken`;
    // Setup would fail without one, so this is the better message.
    await findBasePython();
    return { python: null, managed: true, check: { name, ok: false, value, fix: "Run `dictlearn setup`." } };
  } catch (error) {
    if (!(error instanceof DictlearnError)) throw error;
    const check = { name, ok: false, value: error.message, ...(error.hint === undefined ? {} : { fix: error.hint }) };
    return { python: chosen?.path ?? null, managed: chosen === undefined, check };
  }
};

const findManaged = async (places: Places): Promise<string | undefined> => {
  if (!process.env.DICTLEARN_BASE_PYTHON) return findReady(places);
  const { minor } = await findBasePython();
  const folder = environmentFolder(places, minor.join("."));
  return isReady(folder) ? folder : undefined;
};
