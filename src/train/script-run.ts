import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Recipe, ResumableSource, RowSource } from "../buffer/index.ts";
import {
  checkUnchanged,
  type Durable,
  fingerprint,
  OutputFolder,
  type RunRecord,
  scriptOf,
  staleCheckpoints,
} from "../checkpoint/index.ts";
import { checkSameRun, parseResume } from "../config/index.ts";
import { ConfigError } from "../errors.ts";
import { version } from "../version.ts";
import type { Observer } from "./events.ts";
import { differences, takeUp } from "./resume.ts";
import { parseResumeEvery } from "./resume-policy.ts";
import { type Progress, StateKeeper } from "./state-keeper.ts";
import type { Trainee } from "./trainee.ts";

export interface ResumeOptions {
  readonly save_dir: string | undefined;
  readonly resume: "exact" | "light";
  readonly resume_every: number | string;
}

export interface ScriptRunOptions extends ResumeOptions {
  /** What decides the dictionary, besides its rows and the settings of its training. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly device: string;
  /** Called where the training begins, and not where it goes on. */
  readonly begin: () => Promise<void>;
  readonly observe: Observer;
  readonly signal?: AbortSignal | undefined;
}

/** A source that can be made again as it was. */
export type RepeatableSource = ResumableSource & { readonly recipe: Recipe };

/** The source, if it can be made again. Throws a `ConfigError` for options that do not go together; touches nothing. */
export const requireResumable = (source: RowSource, options: ResumeOptions): RepeatableSource => {
  const { save_dir, resume, resume_every } = options;
  parseResume({ resume, resume_every });
  if (save_dir === undefined) {
    throw new ConfigError(`trainSAE: resume is ${resume}, but there is no save_dir to keep the state in.`);
  }
  if (isRepeatable(source)) return source;
  throw new ConfigError(`trainSAE: resume is ${resume}, but these rows come from what cannot be read again.`, {
    hint: "Make the buffer with ActivationBuffer.create from a file or a dataset ({ path }), or use CachedRows.",
  });
};

const isRepeatable = (source: RowSource): source is RepeatableSource => "recipe" in source && source.recipe !== null;

/**
 * A training of a script, with its state in `save_dir/resume`: taken up from there where the same script was at work before.
 * The folder is held by a lock, so that two scripts never write into it.
 */
export class ScriptRun implements AsyncDisposable {
  /** Where the training goes on, or begins. */
  readonly from: Progress;
  readonly keeper: StateKeeper;
  readonly #folder: OutputFolder;

  private constructor(folder: OutputFolder, from: Progress, keeper: StateKeeper) {
    this.#folder = folder;
    this.from = from;
    this.keeper = keeper;
  }

  /**
   * `trainee` is fresh. Throws `ConfigError` where the folder has a training with other options, `not_resumable` where it has
   * a config's run, and `changed_input` where a file is not what it was.
   */
  static async open(source: RepeatableSource, trainee: Trainee, options: ScriptRunOptions): Promise<ScriptRun> {
    const { save_dir = "", resume, resume_every, observe, signal, begin } = options;
    const folder = await OutputFolder.claim(save_dir, { resume: true });
    try {
      const handles = [source.generator, trainee.generator].filter((each) => each !== null);
      const objects = { trainees: [trainee], generators: { handles } };
      const found = await recordOf(folder, { source, trainee, options });
      if (found.last === undefined) {
        await begin();
        await folder.resume.begin(found.run);
      }
      const from = await takeUp(found, { source, ...objects, observe, signal });
      if (!found.fresh) {
        folder.resume.keepUpTo(found.last?.state.step ?? -1);
        removeStale(join(save_dir, "checkpoints"), trainee, from.step);
      }
      const keeper = new StateKeeper(source, objects.trainees, {
        folder: folder.resume,
        run: found.run,
        kind: resume,
        every: parseResumeEvery(resume_every),
        from: found.last?.state.step,
        generators: objects.generators,
        sinks: [],
        observe,
        approve: () => folder.checkHeld(),
      });
      return new ScriptRun(folder, from, keeper);
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The training is done, and there is nothing left to go on with. */
  finish(): void {
    this.#folder.resume.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** What the folder holds of the same training; where it holds nothing, what the training is. */
const recordOf = async (
  { path, resume }: OutputFolder,
  {
    source,
    trainee,
    options: { settings, device, observe },
  }: { readonly source: RepeatableSource; readonly trainee: Trainee; readonly options: ScriptRunOptions },
): Promise<Durable & { readonly fresh: boolean }> => {
  const { versions, threads } = source.worker.info;
  const { inputs, ...recipe } = source.recipe;
  const train = trainee.settings;
  // As it comes back from JSON.
  const script: Record<string, unknown> = JSON.parse(JSON.stringify({ ...recipe, dictionary: settings, train }));
  const now = { config: { script }, versions: { dictlearn: version, ...versions }, device, threads };
  if (!resume.exists) {
    const run: RunRecord = { ...now, inputs: await fingerprint(inputs) };
    return { run, last: undefined, damage: [], fresh: true };
  }
  const durable = await resume.read();
  checkSameRun(scriptOf(durable.run, path), script);
  await checkUnchanged(durable.run.inputs);
  for (const message of [...durable.damage, ...differences(durable.run, now)]) observe({ type: "notice", message });
  return { ...durable, fresh: false };
};

/** Checkpoints that come after the step at which the training goes on: they are made again. */
const removeStale = (checkpoints: string, trainee: Trainee, step: number): void => {
  const savesAt = (at: number) => trainee.savesAt(at);
  for (const name of staleCheckpoints(readdirSync(checkpoints), { step, savesAt })) rmSync(join(checkpoints, name));
};
