import type { ResumableSource } from "../buffer/index.ts";
import {
  changedTexts,
  configOf,
  type DictionaryFolder,
  type Durable,
  fingerprint,
  type OutputFolder,
  type RunRecord,
  rewind,
} from "../checkpoint/index.ts";
import { anotherRun, checkSameRun, MOVABLE, type RunConfig } from "../config/index.ts";
import { version } from "../version.ts";
import type { Generators, RunSource } from "./assemble.ts";
import type { Observer } from "./events.ts";
import { parseResumeEvery } from "./resume-policy.ts";
import { type Progress, StateKeeper, type StateKeeperOptions } from "./state-keeper.ts";
import type { Trainee } from "./trainee.ts";

const BEGINNING: Progress = { step: 0, tokens: 0 };

export interface RunOnDisk extends Durable {
  /** Whether the run starts from scratch. */
  readonly fresh: boolean;
  /** Whether its model, text or rows have a different path than before. */
  readonly moved: boolean;
  /** Names of the text files that changed. */
  readonly changed: readonly string[];
}

/**
 * The run as the folder holds it: the state to resume from, or, in an empty folder, the record that starts a run.
 * Throws when the folder holds another run, or when an input file has changed.
 */
export const openRun = async (
  output: OutputFolder,
  config: RunConfig,
  { source, device, observe }: { readonly source: RunSource; readonly device: string; readonly observe: Observer },
): Promise<RunOnDisk> => {
  const run = { config, ...(await factsOf(source, device)) };
  if (!output.resume.exists) {
    if (config.resume !== "off") await output.resume.begin(run);
    return begun(run);
  }
  const durable = await output.resume.read();
  checkSameRun(configOf(durable.run, output.path), config);
  return reopened(durable, run, observe);
};

/** A run's inputs, and the machine that computes it. */
export const factsOf = async (source: ResumableSource, device: string): Promise<Omit<RunRecord, "config">> => {
  const { versions, threads } = source.worker.info;
  return { inputs: await fingerprint(source.inputs), versions: { dictlearn: version, ...versions }, device, threads };
};

/** A run that starts from scratch. */
export const begun = (run: RunRecord): RunOnDisk => ({
  run,
  last: undefined,
  damage: [],
  fresh: true,
  moved: false,
  changed: [],
});

/**
 * A resumed run, once its settings proved the same. Throws `changed_input` when a file of the model or of rows has
 * changed. The machine that computed first stays on record; inputs and changeable keys are the current ones.
 */
export const reopened = (durable: Durable, now: RunRecord, observe: Observer): RunOnDisk => {
  const { run, last, damage } = durable;
  // A run from its beginning reads the current files.
  const moved = last === undefined ? [] : movedKeys(run, now);
  const changed = last === undefined ? [] : changedTexts(run.inputs, now.inputs);
  for (const message of [...damage, ...differences(run, now)]) observe({ type: "notice", message });
  const { config, inputs } = now;
  return { ...durable, run: { ...run, config, inputs }, fresh: false, moved: moved.length > 0, changed };
};

/** The keys that name other files than before. Throws where there are no files to compare. */
const movedKeys = (then: RunRecord, now: RunRecord): string[] => {
  const keys = [...MOVABLE].filter(([key]) => valueAt(then.config, key) !== valueAt(now.config, key));
  for (const [key, of] of keys) {
    for (const { inputs } of [then, now]) if (!inputs.some((file) => file.of === of)) throw anotherRun(key);
  }
  return keys.map(([key]) => key);
};

/** The value of a key, by its dotted path; undefined where there is none. */
const valueAt = (config: RunRecord["config"], key: string): unknown =>
  key
    .split(".")
    .reduce<unknown>(
      (group, part) => (group as Record<string, unknown> | null | undefined)?.[part],
      "script" in config ? config.script : config,
    );

export interface TakeUpOptions {
  readonly source: ResumableSource;
  readonly trainees: readonly Trainee[];
  readonly generators: Pick<Generators, "handles">;
  readonly observe: Observer;
  readonly signal?: AbortSignal | undefined;
}

/** Restores freshly created objects to the run's last state; returns its position. */
export const takeUp = async ({ last, fresh, changed }: RunOnDisk, options: TakeUpOptions): Promise<Progress> => {
  const { source, trainees, generators, observe, signal } = options;
  if (last === undefined) {
    if (!fresh) observe({ type: "resumed", ...BEGINNING, exact: true });
    return BEGINNING;
  }
  const { state, tensors } = last;
  observe({ type: "stage", message: `Taking up the run after step ${state.step}` });
  source.resumeAt(state.source);
  for (const [index, position] of state.trainees.entries()) trainees[index]?.resumeAt(position);
  const { recomputed, differing, notices } = await source.worker.call(
    "state.load",
    {
      path: tensors,
      trainees: trainees.map(({ ref }) => ref),
      generators: [...generators.handles],
      source: source.ref,
      contexts: source.contexts,
      model: state.kind === "exact" ? source.model : null,
      changed: [...changed],
    },
    { signal, onProgress: ({ stage, done, total }) => observe({ type: "stage", message: stage, done, total }) },
  );
  for (const message of notices) observe({ type: "notice", message });
  if (differing > 0) {
    const message = `${differing} of ${recomputed} batches of contexts gave activations that differ from those of before in some bits, as they do on another machine or with other threads; the run goes on, but will not end in the same bytes.`;
    observe({ type: "notice", message });
  }
  observe({ type: "resumed", step: state.step, exact: state.kind === "exact" && differing === 0 });
  return { step: state.step, tokens: state.tokens };
};

/** Takes the folders back to the same step. */
export const rewindFolders = (
  { last, fresh }: RunOnDisk,
  trainees: readonly Trainee[],
  { output, folders }: { readonly output: OutputFolder; readonly folders: readonly DictionaryFolder[] },
): void => {
  if (fresh) return;
  output.resume.keepUpTo(last?.state.step ?? -1);
  for (const [index, folder] of folders.entries()) {
    const metrics = last?.state.trainees[index]?.metrics ?? 0;
    const savesAt = (step: number) => trainees[index]?.savesAt(step) ?? false;
    rewind(folder, { step: last?.state.step ?? 0, metrics, savesAt });
  }
};

/** Saves the run's state while it trains; undefined when the config asks for none. */
export const createKeeper = (
  source: RunSource,
  trainees: readonly Trainee[],
  {
    config,
    output,
    onDisk,
    ...rest
  }: Pick<StateKeeperOptions, "generators" | "sinks" | "clock" | "observe"> & {
    readonly config: RunConfig;
    readonly output: OutputFolder;
    readonly onDisk: RunOnDisk;
  },
): StateKeeper | undefined => {
  if (config.resume === "off") return undefined;
  return new StateKeeper(source, trainees, {
    ...rest,
    folder: output.resume,
    run: onDisk.run,
    kind: config.resume,
    every: parseResumeEvery(config.resume_every),
    from: onDisk.last?.state.step,
    approve: () => output.checkHeld(),
  });
};

/** Differences in computation since the run started, one sentence each. */
export const differences = (then: RunRecord, now: Omit<RunRecord, "inputs">): string[] => {
  const found: string[] = [];
  const names = Object.keys(then.versions).filter((name) => then.versions[name] !== now.versions[name]);
  for (const name of names) found.push(`${name} was ${then.versions[name]} and is ${now.versions[name] ?? "missing"}`);
  if (then.device !== now.device) found.push(`the device was ${then.device} and is ${now.device}`);
  if (then.threads !== now.threads) found.push(`the worker had ${then.threads} threads and has ${now.threads}`);
  return found.map((what) => `Since the run was started, ${what}: it may not end in the same bytes.`);
};
