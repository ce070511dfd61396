import { OutputFolder } from "../checkpoint/index.ts";
import { type ResolvedRun, requireAvailable } from "../config/index.ts";
import { JsonlSink, TrainingClock } from "../metrics/index.ts";
import { resolveDevice } from "../nnsight/index.ts";
import { checkOptions, kinds, optionsOf } from "../options/index.ts";
import { Scope, type Worker } from "../worker/index.ts";
import { createTrainees, Generators, openSource, type RunSource } from "./assemble.ts";
import type { Observer } from "./events.ts";
import { finishRun } from "./final-evaluation.ts";
import { type LoopResult, trainLoop } from "./loop.ts";
import { nothingToTrainOn } from "./nothing-to-train-on.ts";
import { explainOutOfMemory } from "./out-of-memory.ts";
import { explainFailure, explainStop, prepareFolders, saveResults } from "./outputs.ts";
import { estimateResources, requireResources } from "./resources.ts";
import { withRestarts } from "./restart.ts";
import { createKeeper, openRun, rewindFolders, takeUp } from "./resume.ts";
import { RunFolder } from "./run-folder.ts";
import { RunLog } from "./run-log.ts";
import { checkRun } from "./script-options.ts";
import { distinctSites } from "./sites.ts";
import type { Trainee } from "./trainee.ts";

export interface RunOptions {
  readonly observe: Observer;
  readonly signal?: AbortSignal;
  /** Replace the files of an earlier run in the output folder. */
  readonly overwrite?: boolean;
  /** Continue the run that the output folder holds, from its last state. */
  readonly resume?: boolean;
  /** Starts another worker when the first is lost; without it, the run ends there. */
  readonly startWorker?: () => Promise<Worker>;
}

const OPTIONS = optionsOf<RunOptions>(
  {
    observe: kinds.callback(),
    signal: kinds.signal(),
    overwrite: kinds.flag(),
    resume: kinds.flag(),
    startWorker: kinds.callback(),
  },
  ["observe"],
);

export interface RunResult extends LoopResult {
  /** One folder for each dictionary. */
  readonly folders: readonly string[];
}

/**
 * One run, from the config to the folder: text → contexts → activations → buffer → steps → `ae.pt`. A worker that is
 * lost is replaced, and the run resumes from its last state.
 */
export const runTraining = async (run: ResolvedRun, worker: Worker, options: RunOptions): Promise<RunResult> => {
  // All input errors are found before the output folder exists.
  checkRun("runTraining", run, worker);
  checkOptions(OPTIONS, options, "runTraining");
  requireAvailable(run);
  OutputFolder.check(run.config.output, options);
  const log = new RunLog(options.observe);
  await using folder = new RunFolder(run.config.output, options);
  const start = run.config.resume === "off" ? undefined : options.startWorker;
  const attempt = async (each: Worker) => await trainOnce(run, each, { ...options, log, folder });
  try {
    return await withRestarts(worker, attempt, { start, observe: log.observe, signal: options.signal });
  } catch (error) {
    throw explainStop(explainOutOfMemory(error, run.config), folder.output, log);
  }
};

/** The part of a run that one worker computes: from the beginning or the last state to the end. */
const trainOnce = async (
  run: ResolvedRun,
  worker: Worker,
  { log, folder, signal }: RunOptions & { readonly log: RunLog; readonly folder: RunFolder },
): Promise<RunResult> => {
  const { config, dictionaries } = run;
  const { observe } = log;
  log.begin();
  const device = resolveDevice(worker, config.device);
  await worker.call("configure", { tf32: config.tf32, deterministic: config.deterministic });
  observe({ type: "worker", pid: worker.pid, device });
  await using scope = new Scope();
  const generators = scope.use(await Generators.create(worker, config));
  const sites = config.activations ? [] : distinctSites(dictionaries);
  const source = await openSource(worker, config, {
    sites,
    generators,
    scope,
    device,
    observe,
    events: log.bufferEvents,
    signal,
    approve: (rows) => requireResources(estimateResources(run, sites, rows), run, worker),
  });
  const trainees = await createTrainees(source, dictionaries, { config, sites, device, generators, scope });

  const output = await folder.claim();
  const onDisk = await openRun(output, config, { source, device, observe });
  const from = await takeUp(onDisk, { source, trainees, generators, observe, signal });
  log.step = from.step;
  if (!(await source.fill(signal)) && from.step === 0) throw nothingToTrainOn(source);
  if (onDisk.last === undefined) await normalizeAll(source, trainees);
  const folders = await prepareFolders(output, source, trainees, { run, device, fresh: onDisk.fresh || onDisk.moved });
  folder.keep();
  rewindFolders(onDisk, trainees, { output, folders });
  const clock = new TrainingClock({ ...from, seconds: onDisk.last?.state.seconds ?? 0 });
  const sinks = folders.map(({ metrics }, index) => new JsonlSink(metrics, trainees[index]?.name ?? "", clock));
  using _sinks = log.open(sinks);
  await using keeper = createKeeper(source, trainees, { config, output, onDisk, generators, sinks, clock, observe });
  const checkpointPath = (trainee: Trainee, step: number) => folders[trainees.indexOf(trainee)]?.checkpoint(step) ?? "";
  try {
    const result = await trainLoop(source, trainees, { observe, signal, checkpointPath, from, keeper });
    await saveResults(source, trainees, folders, { result, observe });
    if (result.reason !== "interrupted") {
      log.evaluating = true;
      await finishRun(source, folders, { run, observe, signal, output });
    }
    return { ...result, folders: folders.map(({ path }) => path) };
  } catch (error) {
    throw explainFailure(error, { trainees, steps: log.step, lastCheckpoints: log.lastCheckpoints });
  }
};

const normalizeAll = async (source: RunSource, trainees: readonly Trainee[]): Promise<void> => {
  for (const trainee of trainees) if (trainee.settings.normalize_activations) await trainee.normalize(source);
};
