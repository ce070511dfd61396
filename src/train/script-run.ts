import type { Recipe, ResumableSource, RowSource } from "../buffer/index.ts";
import { OutputFolder, scriptOf } from "../checkpoint/index.ts";
import { checkSameRun, parseResume } from "../config/index.ts";
import { ConfigError } from "../errors.ts";
import { resolveDevice } from "../nnsight/index.ts";
import type { Observer } from "./events.ts";
import { normalize, type TraineeInput } from "./new-trainee.ts";
import { begun, factsOf, type RunOnDisk, reopened, takeUp } from "./resume.ts";
import { parseResumeEvery, type ResumeEvery } from "./resume-policy.ts";
import { type Progress, StateKeeper } from "./state-keeper.ts";
import type { Trainee } from "./trainee.ts";

/** How a script's training resumes after an interruption. */
export interface ResumeOptions {
  /** Folder of the training: its state goes into `resume/` there. */
  readonly save_dir?: string;
  /**
   * The state kept in `save_dir/resume` to resume after an interruption: `exact`, for a result byte-identical to an
   * uninterrupted training; `light`, which resumes with fresh rows; `off`, the default. A call with the same options
   * and a buffer created the same way resumes from the state of the previous call. The rows must come from a file or a
   * dataset (`ActivationBuffer.create` with a path, or `CachedRows`), not from the script's own strings.
   */
  readonly resume?: "exact" | "light" | "off";
  /** Steps, or a time such as `10m`, between two states; 500 by default. */
  readonly resume_every?: number | string;
}

const RESUME_EVERY = 500;

/** A source that can be created again identically. */
type RepeatableSource = ResumableSource & { readonly recipe: Recipe };

/** The description under which a script's training is kept. */
export interface Resumable {
  readonly source: RepeatableSource;
  readonly save_dir: string;
  readonly kind: "exact" | "light";
  readonly every: ResumeEvery;
}

/**
 * undefined where nothing is to be kept. Throws a `ConfigError`, in the name of `caller`, for conflicting options and
 * for rows that cannot be recreated; changes nothing.
 */
export const requireResumable = (
  source: RowSource,
  { save_dir, resume: kind = "off", resume_every = RESUME_EVERY }: ResumeOptions,
  caller: string,
): Resumable | undefined => {
  if (kind === "off") return undefined;
  parseResume({ resume: kind, resume_every }, caller);
  if (save_dir === undefined) {
    throw new ConfigError(`${caller}: resume is ${kind}, but there is no save_dir to keep the state in.`);
  }
  if (isRepeatable(source)) return { source, save_dir, kind, every: parseResumeEvery(resume_every) };
  throw new ConfigError(`${caller}: resume is ${kind}, but these rows come from what cannot be read again.`, {
    hint: "Make the buffer with ActivationBuffer.create from a file or a dataset ({ path }), or use CachedRows.",
  });
};

const isRepeatable = (source: RowSource): source is RepeatableSource => "recipe" in source && source.recipe !== null;

interface ScriptRunOptions {
  readonly input: TraineeInput;
  /** `own`: the steps are those of a custom loop, which resumes from no other loop's state. */
  readonly loop: "trainSAE" | "own";
  readonly observe: Observer;
}

/**
 * A training of a script, with its state in `save_dir/resume`, from which it resumes if the same script ran before. The
 * folder is locked, so that two scripts never write into it.
 */
export class ScriptRun implements AsyncDisposable {
  /** The step at which the training starts or resumes. */
  readonly from: Progress;
  /** Whether the training starts from scratch. */
  readonly fresh: boolean;
  readonly keeper: StateKeeper;
  readonly #folder: OutputFolder;

  private constructor(
    folder: OutputFolder,
    { from, fresh, keeper }: { from: Progress; fresh: boolean; keeper: StateKeeper },
  ) {
    this.#folder = folder;
    this.from = from;
    this.fresh = fresh;
    this.keeper = keeper;
  }

  /**
   * `trainee` is fresh. Throws `ConfigError` where the folder has a training with other options, `not_resumable` where
   * it has a config's run, and `changed_input` where a file has changed.
   */
  static async open(
    { source, save_dir, kind, every }: Resumable,
    trainee: Trainee,
    options: ScriptRunOptions,
  ): Promise<ScriptRun> {
    const { input, observe } = options;
    const { signal } = input;
    const folder = await OutputFolder.claim(save_dir, { resume: true });
    try {
      const handles = [source.generator, trainee.generator].filter((each) => each !== null);
      const objects = { trainees: [trainee], generators: { handles } };
      const found = await recordOf(folder, { source, trainee, options });
      const { run, last, fresh } = found;
      if (last === undefined) {
        await normalize(trainee, source, signal);
        await folder.resume.begin(run);
      }
      const from = await takeUp(found, { source, ...objects, observe, signal });
      if (!fresh) folder.resume.keepUpTo(last?.state.step ?? -1);
      const keeper = new StateKeeper(source, objects.trainees, {
        folder: folder.resume,
        run,
        kind,
        every,
        from: last?.state.step,
        generators: objects.generators,
        sinks: [],
        observe,
        approve: () => folder.checkHeld(),
      });
      return new ScriptRun(folder, { from, fresh, keeper });
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The training is done, and nothing is left to resume. */
  finish(): void {
    this.#folder.resume.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _folder = this.#folder;
    await this.keeper[Symbol.asyncDispose]();
  }
}

/** The record of the same training in the folder; where there is none, a new one. */
const recordOf = async (
  { path, resume }: OutputFolder,
  {
    source,
    trainee,
    options: { input, loop, observe },
  }: { readonly source: RepeatableSource; readonly trainee: Trainee; readonly options: ScriptRunOptions },
): Promise<RunOnDisk> => {
  const { dictionary_size, seed = 0, dtype = "float32", autocast = null } = input;
  const dictionary = { dictionary_size, seed, dtype, autocast };
  const own = loop === "own" ? { loop } : {};
  const all = { ...source.recipe, ...own, dictionary, train: trainee.settings };
  // As parsed from JSON.
  const script: Record<string, unknown> = JSON.parse(JSON.stringify(all));
  const device = resolveDevice(source.worker, input.device ?? "auto");
  const run = { config: { script }, ...(await factsOf(source, device)) };
  if (!resume.exists) return begun(run);
  const durable = await resume.read();
  checkSameRun(scriptOf(durable.run, path), script);
  return reopened(durable, run, observe);
};
