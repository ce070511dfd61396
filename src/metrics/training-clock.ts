/**
 * The position of a training when this process, or its current worker, resumed it: steps, rows and seconds of training.
 */
export interface TrainedBefore {
  readonly step: number;
  readonly tokens: number;
  readonly seconds: number;
}

/** The time and speed of a training. */
export interface TrainingTime {
  /** Seconds of training in all processes so far; work lost with a worker or a process does not count. */
  readonly seconds: number;
  readonly steps_per_second: number;
  readonly tokens_per_second: number;
}

/**
 * Measures the time of a training. A resumed training continues the count from its saved state. Rates cover only the
 * work since then: they include neither a pause nor the speed of another machine.
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
