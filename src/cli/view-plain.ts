import type { ResolvedRun } from "../config/index.ts";
import type { Evaluation } from "../evaluate/index.ts";
import type { Observer, RunEvent, RunResult, StepMetrics } from "../train/index.ts";
import { count, progressOf } from "./format.ts";
import { metricsLine, summary } from "./run-summary.ts";
import type { View } from "./view.ts";

/** Seconds between two lines about the same subject. */
const QUIET_SECONDS = 5;

/** Plain lines on standard error, for logs and pipes; the summary goes to standard output. */
export class PlainView implements View {
  readonly #run: ResolvedRun;
  readonly #last = new Map<string, StepMetrics>();
  readonly #evaluations = new Map<string, Evaluation>();
  #lastLine = Number.NEGATIVE_INFINITY;
  #lastStage = "";

  constructor(run: ResolvedRun) {
    this.#run = run;
  }

  readonly observe: Observer = (event) => {
    const line = this.#line(event);
    if (line !== undefined) this.note(line);
  };

  note(message: string): void {
    process.stderr.write(`${message}\n`);
  }

  finish(result: RunResult): void {
    process.stdout.write(`${summary(this.#run, result, { last: this.#last, evaluations: this.#evaluations })}\n`);
  }

  stop(): void {}

  #line(event: RunEvent): string | undefined {
    switch (event.type) {
      case "stage":
        if (event.message === this.#lastStage && !this.#due()) return undefined;
        this.#lastStage = event.message;
        return event.total ? `${event.message}: ${count(event.done ?? 0)} of ${count(event.total)}` : event.message;
      case "notice":
        return `Note: ${event.message}`;
      case "filling":
        return this.#due() ? `Buffer: ${count(event.unread)} of ${count(event.capacity)} rows` : undefined;
      case "refreshed":
        return `Buffer refreshed: ${count(event.rows)} rows from ${count(event.contexts)} contexts in ${event.seconds.toFixed(1)} s`;
      case "step":
        return this.#due()
          ? `step ${count(event.step)}${event.steps === null ? "" : ` of ${count(event.steps)}`}`
          : undefined;
      case "metrics":
        return this.#due()
          ? `step ${count(event.metrics.step)} · ${event.dictionary} · ${metricsLine(event.metrics)}`
          : undefined;
      case "resampled":
        return `step ${count(event.step)} · ${event.dictionary} · resampled ${count(event.features.length)} dead features${event.fresh ? "; none was alive, so they start afresh" : ""}`;
      case "finished":
        this.#last.set(event.dictionary, event.metrics);
        return undefined;
      case "evaluating":
        return this.#due()
          ? `${event.dictionary} · ${event.stage.toLowerCase()}${event.total > 0 ? `: ${progressOf(event.done, event.total)} contexts` : ""}`
          : undefined;
      case "evaluated":
        this.#evaluations.set(event.dictionary, event.evaluation);
        return undefined;
      case "resumed":
        return `Resumed after ${count(event.step)} steps`;
      case "kept":
      case "saved":
      case "worker":
        return undefined;
    }
  }

  /** At most one progress line every few seconds. */
  #due(): boolean {
    const now = performance.now() / 1000;
    if (now - this.#lastLine < QUIET_SECONDS) return false;
    this.#lastLine = now;
    return true;
  }
}
