import type { ResumableSource } from "../buffer/index.ts";
import {
  checkUnchanged,
  configOf,
  type DictionaryFolder,
  type Durable,
  fingerprint,
  type OutputFolder,
  type RunRecord,
  rewind,
} from "../checkpoint/index.ts";
import { checkSameRun, type RunConfig } from "../config/index.ts";
import { version } from "../version.ts";
import type { Worker } from "../worker/index.ts";
import type { Generators, RunSource } from "./assemble.ts";
import type { Observer } from "./events.ts";
import { parseResumeEvery } from "./resume-policy.ts";
import { type Progress, StateKeeper, type StateKeeperOptions } from "./state-keeper.ts";
import type { Trainee } from "./trainee.ts";

const BEGINNING: Progress = { step: 0, tokens: 0 };

export interface RunOnDisk extends Durable {
  /** Whether nothing of the run was there before. */
  readonly fresh: boolean;
}

/**
 * What the folder holds of the run: what it can be taken up from, or, in an empty folder, the record that makes it a run.
 * Throws when it holds another run, or when an input file is not what it was.
 */
export const openRun = async (
  output: OutputFolder,
  config: RunConfig,
  { worker, device, observe }: { readonly worker: Worker; readonly device: string; readonly observe: Observer },
): Promise<RunOnDisk> => {
  const versions = { dictlearn: version, ...worker.info.versions };
  const now = { config, versions, device, threads: worker.info.threads };
  if (!output.resume.exists) {
    const run = { ...now, inputs: await fingerprint(inputPaths(config)) };
    if (config.resume !== "off") await output.resume.begin(run);
    return { run, last: undefined, damage: [], fresh: true };
  }
  const durable = await output.resume.read();
  checkSameRun(configOf(durable.run, output.path), config);
  await checkUnchanged(durable.run.inputs);
  for (const message of [...durable.damage, ...differences(durable.run, now)]) observe({ type: "notice", message });
  return { ...durable, fresh: false };
};

export interface TakeUpOptions {
  readonly source: ResumableSource;
  readonly trainees: readonly Trainee[];
  readonly generators: Pick<Generators, "handles">;
  readonly observe: Observer;
  readonly signal?: AbortSignal | undefined;
}

/** Brings freshly made objects to where the run's last state was; says where that is. */
export const takeUp = async ({ last, fresh }: RunOnDisk, options: TakeUpOptions): Promise<Progress> => {
  const { source, trainees, generators, observe, signal } = options;
  if (last === undefined) {
    if (!fresh) observe({ type: "resumed", ...BEGINNING, exact: true });
    return BEGINNING;
  }
  const { state, tensors } = last;
  observe({ type: "stage", message: `Taking up the run after step ${state.step}` });
  source.resumeAt(state.source);
  for (const [index, position] of state.trainees.entries()) trainees[index]?.resumeAt(position);
  const { recomputed, differing } = await source.worker.call(
    "state.load",
    {
      path: tensors,
      trainees: trainees.map(({ ref }) => ref),
      generators: [...generators.handles],
      source: source.ref,
      contexts: source.contexts,
      model: state.kind === "exact" ? source.model : null,
    },
    { signal, onProgress: ({ stage, done, total }) => observe({ type: "stage", message: stage, done, total }) },
  );
  if (differing > 0) {
    const message = `${differing} of ${recomputed} batches of contexts gave activations that differ from those of before in some bits, as they do on another machine or with other threads; the run goes on, but will not end in the same bytes.`;
    observe({ type: "notice", message });
  }
  observe({ type: "resumed", step: state.step, exact: state.kind === "exact" && differing === 0 });
  return { step: state.step, tokens: state.tokens };
};

/** Takes the folders back to the same place. */
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

/** What saves the run's state while it trains; undefined when the config wants none. */
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
    // The inputs and what computed first stay on record; keys that may change are those of now.
    run: { ...onDisk.run, config },
    kind: config.resume,
    every: parseResumeEvery(config.resume_every),
    from: onDisk.last?.state.step,
    approve: () => output.checkHeld(),
  });
};

/** The files that a run reads, as far as they are on this machine's disk. */
const inputPaths = ({ model, data, activations }: RunConfig): string[] =>
  [model, data?.path, activations].filter((path) => typeof path === "string");

/** What computes otherwise now than when the run was started, one sentence each. */
export const differences = (then: RunRecord, now: Omit<RunRecord, "inputs">): string[] => {
  const found: string[] = [];
  const names = Object.keys(then.versions).filter((name) => then.versions[name] !== now.versions[name]);
  for (const name of names) found.push(`${name} was ${then.versions[name]} and is ${now.versions[name] ?? "missing"}`);
  if (then.device !== now.device) found.push(`the device was ${then.device} and is ${now.device}`);
  if (then.threads !== now.threads) found.push(`the worker had ${then.threads} threads and has ${now.threads}`);
  return found.map((what) => `Since the run was started, ${what}: it may not end in the same bytes.`);
};
