/** Where a training stood when this process, or its present worker, resumed it: steps, rows and seconds of training. */
export interface TrainedBefore {
  readonly step: number;
  readonly tokens: number;
  readonly seconds: number;
}

/** How long a training has taken, and how fast it is. */
export interface TrainingTime {
  /** Seconds of training in all processes so far; what was lost with a worker or a process does not count. */
  readonly seconds: number;
  readonly steps_per_second: number;
  readonly tokens_per_second: number;
}

/**
 * The time that a training takes. A resumed training continues to count where its state was saved. Rates are of what was done
 * since: neither a pause nor the speed of another machine is in them.
 */
export class TrainingClock {
  readonly #before: TrainedBefore;
  readonly #started = performance.now();

  constructor(before: TrainedBefore) {
    this.#before = before;
  }

  get seconds(): number {
    return this.#before.seconds + this.#elapsed();
  }

  /** After `step` steps and `tokens` rows. */
  at({ step, tokens }: Omit<TrainedBefore, "seconds">): TrainingTime {
    const elapsed = this.#elapsed();
    return {
      steps_per_second: (step - this.#before.step) / elapsed,
      tokens_per_second: (tokens - this.#before.tokens) / elapsed,
      seconds: this.#before.seconds + elapsed,
    };
  }

  #elapsed(): number {
    return (performance.now() - this.#started) / 1000;
  }
}
