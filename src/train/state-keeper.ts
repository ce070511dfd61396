import type { ResumableSource } from "../buffer/index.ts";
import { withoutRows } from "../buffer/index.ts";
import type { ResumeFolder, ResumeState, RunRecord } from "../checkpoint/index.ts";
import type { JsonlSink, TrainingClock } from "../metrics/index.ts";
import type { HandleRef, Result } from "../protocol/index.ts";
import { type CallWindow, Handle } from "../worker/index.ts";
import type { Generators } from "./assemble.ts";
import type { Observer } from "./events.ts";
import { type ResumeEvery, saveIsDue, stepsUntilSave } from "./resume-policy.ts";
import type { Trainee } from "./trainee.ts";

export interface StateKeeperOptions {
  readonly folder: ResumeFolder;
  readonly run: RunRecord;
  readonly kind: "exact" | "light";
  readonly every: ResumeEvery;
  readonly generators: Pick<Generators, "handles">;
  /** In the order of the trainees. */
  readonly sinks: readonly JsonlSink[];
  /** Where the training's seconds are counted. */
  readonly clock?: TrainingClock;
  readonly observe: Observer;
  /** Called before a state becomes valid; throws when it must not. */
  readonly approve: () => void;
}

/** Steps done, and the rows they were trained on. */
export interface Progress {
  readonly step: number;
  readonly tokens: number;
}

interface Pending {
  readonly write: Handle;
  readonly state: Omit<ResumeState, "file">;
}

/**
 * Saves the run's state while it trains. The worker writes its tensors into the system's cache between two steps, and
 * waits for the disk on a separate thread; this process polls whether it is done, and then makes the state valid.
 */
export class StateKeeper implements AsyncDisposable {
  readonly #source: ResumableSource;
  readonly #trainees: readonly Trainee[];
  readonly #options: StateKeeperOptions;
  #starting = false;
  #pending: Pending | undefined;
  /** Whether a poll is in flight: the handle must outlive it. */
  #looking = false;
  #commit: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #lastStep: number | undefined;
  #lastTime = performance.now();

  /** `from`: steps of the state that the run resumed from, if any. */
  constructor(
    source: ResumableSource,
    trainees: readonly Trainee[],
    { from, ...options }: StateKeeperOptions & { readonly from: number | undefined },
  ) {
    this.#source = source;
    this.#trainees = trainees;
    this.#options = options;
    this.#lastStep = from;
  }

  /** How many steps can be sent at once after `step` steps. */
  stepsUntilDue(step: number): number {
    return stepsUntilSave(step, this.#options.every);
  }

  /**
   * Called after every message of steps: begins a state when one is due, and checks on the one that is being written.
   */
  async afterSteps(window: CallWindow, progress: Progress): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const pending = this.#pending;
    if (pending !== undefined) {
      if (this.#looking) return;
      this.#looking = true;
      const params = { write: pending.write.ref, wait: false };
      await window.push("state.written", params, (written) => this.#look(pending, written));
      return;
    }
    // A disk that is slower than the interval gets fewer states.
    if (this.#starting || !saveIsDue(progress.step, performance.now() - this.#lastTime, this.#options.every)) return;
    const state = this.#describe(progress);
    await window.push("state.save", this.#params(progress), ({ write }) => this.#started(state, write));
  }

  /** Saves the state and waits until it is on disk. The window must be drained. */
  async save(progress: Progress): Promise<void> {
    await this.settle();
    if (this.#lastStep === progress.step) return;
    const state = this.#describe(progress);
    const { write } = await this.#source.worker.call("state.save", this.#params(progress));
    this.#started(state, write);
    await this.settle();
  }

  /** Waits for the state that is being written. The window must be drained. */
  async settle(): Promise<void> {
    const pending = this.#pending;
    if (pending !== undefined) {
      const params = { write: pending.write.ref, wait: true };
      this.#look(pending, await this.#source.worker.call("state.written", params));
    }
    await this.#commit;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Drops a state that is being written: after a failure it never becomes valid. The window must be drained. */
  async [Symbol.asyncDispose](): Promise<void> {
    const pending = this.#pending;
    this.#pending = undefined;
    await this.#commit;
    await pending?.write.release();
  }

  #params({ step }: Progress) {
    this.#starting = true;
    this.#lastTime = performance.now();
    return {
      path: this.#options.folder.prepare(step),
      trainees: this.#trainees.map(({ ref }) => ref),
      generators: [...this.#options.generators.handles],
      source: this.#source.ref,
      contexts: this.#source.contexts,
      rows: this.#options.kind === "exact",
    };
  }

  #describe({ step, tokens }: Progress): Omit<ResumeState, "file"> {
    const { run, kind } = this.#options;
    const position = this.#source.position();
    return {
      run,
      kind,
      step,
      tokens,
      source: kind === "exact" ? position : withoutRows(position),
      trainees: this.#trainees.map((each) => ({ name: each.name, ...each.position(), metrics: 0 })),
    };
  }

  /** Answers come in order: the metrics files now hold exactly the output of the steps before the copy. */
  #started(state: Omit<ResumeState, "file">, write: HandleRef): void {
    const { sinks, clock } = this.#options;
    const time = clock === undefined ? {} : { seconds: clock.seconds };
    const trainees = state.trainees.map((each, index) => ({ ...each, metrics: sinks[index]?.bytes ?? 0 }));
    this.#starting = false;
    const handle = new Handle(this.#source.worker, write, "resume state");
    this.#pending = { write: handle, state: { ...state, ...time, trainees } };
  }

  #look(pending: Pending, { done, bytes, sha256 }: Result<"state.written">): void {
    this.#looking = false;
    if (!done || this.#pending !== pending) return;
    this.#pending = undefined;
    this.#commit = this.#finish(pending, { bytes, sha256 }).catch((error: unknown) => {
      this.#failure ??= { error };
    });
  }

  async #finish({ write, state }: Pending, written: { bytes: number; sha256: string }): Promise<void> {
    const { folder, sinks, observe, approve } = this.#options;
    await write.release();
    await Promise.all(sinks.map(async (sink) => await sink.sync()));
    approve();
    await folder.commit(state, written);
    this.#lastStep = state.step;
    observe({ type: "kept", step: state.step, bytes: written.bytes });
  }
}
