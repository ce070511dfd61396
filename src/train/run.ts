import { OutputFolder } from "../checkpoint/index.ts";
import { type ResolvedRun, type RunConfig, requireAvailable } from "../config/index.ts";
import { DictlearnError } from "../errors.ts";
import { JsonlSink } from "../metrics/index.ts";
import { resolveDevice } from "../nnsight/index.ts";
import type { Worker } from "../worker/index.ts";
import { createTrainees, Generators, openSource } from "./assemble.ts";
import type { Observer, RunEvent } from "./events.ts";
import { type LoopResult, trainLoop } from "./loop.ts";
import { explainFailure, prepareFolders, saveResults } from "./outputs.ts";
import { requireResources } from "./resources.ts";
import { distinctSites } from "./sites.ts";
import type { Trainee } from "./trainee.ts";

export interface RunOptions {
  readonly observe: Observer;
  readonly signal?: AbortSignal;
  /** Replace what an earlier run left in the output folder. */
  readonly overwrite?: boolean;
}

export interface RunResult extends LoopResult {
  /** One folder for each dictionary. */
  readonly folders: readonly string[];
}

/** One run, from the config to the folder: text → contexts → activations → buffer → steps → `ae.pt`. */
export const runTraining = async (run: ResolvedRun, worker: Worker, options: RunOptions): Promise<RunResult> => {
  const { config, dictionaries } = run;
  const { signal, overwrite = false } = options;
  const log = new RunLog(options.observe);
  const { observe } = log;

  // Whatever can be wrong with the input is found before the output folder exists.
  requireAvailable(run);
  OutputFolder.check(config.output, { overwrite });
  const device = resolveDevice(worker, config.device);
  await worker.call("configure", { tf32: config.tf32, deterministic: config.deterministic });
  observe({ type: "worker", pid: worker.pid, device });
  const generators = await Generators.create(worker, config);
  const sites = config.activations ? [] : distinctSites(dictionaries);
  const events = {
    filling: (unread: number, capacity: number, tokens: number) =>
      observe({ type: "filling", unread, capacity, tokens }),
    refreshed: (refresh: { rows: number; contexts: number; seconds: number; exhausted: boolean }) =>
      observe({ type: "refreshed", step: log.step, ...refresh }),
  };
  await using source = await openSource(worker, config, {
    sites,
    generators,
    device,
    observe,
    events,
    signal,
    approve: (rows) => void requireResources(run, worker, sites, rows),
  });
  const trainees = await createTrainees(source, dictionaries, { config, sites, device, generators });

  await using output = await OutputFolder.claim(config.output, { overwrite });
  if (!(await source.fill(signal))) {
    throw nothingToTrainOn(config);
  }
  for (const trainee of trainees) if (trainee.settings.normalize_activations) await trainee.normalize(source);
  const folders = await prepareFolders(output, source, trainees, { run, device });
  using _sinks = log.open(folders.map(({ metrics }, index) => new JsonlSink(metrics, trainees[index]?.name ?? "")));
  const checkpointPath = (trainee: Trainee, step: number) => folders[trainees.indexOf(trainee)]?.checkpoint(step) ?? "";
  try {
    const result = await trainLoop(source, trainees, { observe, signal, checkpointPath });
    await saveResults(source, trainees, folders, { result, observe });
    return { ...result, folders: folders.map(({ path }) => path) };
  } catch (error) {
    throw explainFailure(error, { trainees, steps: log.step, lastCheckpoints: log.lastCheckpoints });
  }
};

const nothingToTrainOn = ({ buffer }: RunConfig): DictlearnError =>
  buffer.remaining_rows === "drop" || buffer.partial_batches === "drop"
    ? new DictlearnError(
        "There is nothing to train on: the text ends before the buffer is full, and its rows are dropped.",
        {
          code: "no_tokens",
          hint: "Set buffer.remaining_rows and buffer.partial_batches to serve, lower buffer.n_ctxs, or read more text.",
        },
      )
    : new DictlearnError("There is nothing to train on: the text has no token in it.", {
        code: "no_tokens",
        hint: "Check data.path and data.text_field.",
      });

/** Passes events on to the caller and to the metrics files, and remembers what a failure has to mention. */
class RunLog {
  readonly lastCheckpoints = new Map<string, string>();
  /** Steps run so far. */
  step = 0;
  readonly #observe: Observer;
  #sinks: readonly JsonlSink[] = [];
  /** What happened before the files were there. */
  #early: RunEvent[] = [];

  constructor(observe: Observer) {
    this.#observe = observe;
  }

  readonly observe: Observer = (event) => {
    if (event.type === "step") this.step = event.step;
    if (event.type === "saved") this.lastCheckpoints.set(event.dictionary, event.path);
    if (this.#sinks.length === 0) this.#early.push(event);
    for (const sink of this.#sinks) sink.observe(event);
    this.#observe(event);
  };

  open(sinks: readonly JsonlSink[]): Disposable {
    this.#sinks = sinks;
    for (const event of this.#early.splice(0)) for (const sink of sinks) sink.observe(event);
    return { [Symbol.dispose]: () => closeAll(sinks) };
  }
}

const closeAll = (sinks: readonly JsonlSink[]): void => {
  for (const sink of sinks) sink[Symbol.dispose]();
};
