import cliProgress from "cli-progress";
import type { ResolvedRun } from "../config/index.ts";
import type { Evaluation } from "../evaluate/index.ts";
import type { Observer, RunResult, StepMetrics } from "../train/index.ts";
import { count, progressOf } from "./format.ts";
import { Pace, timeLeft } from "./pace.ts";
import { metricsLine, summary } from "./run-summary.ts";
import type { View } from "./view.ts";

/** Bars on a terminal: the buffer's fill and the steps, with rates, statistics and the time left. */
export class TerminalView implements View {
  readonly #run: ResolvedRun;
  readonly #stream: NodeJS.WritableStream;
  readonly #bars: cliProgress.MultiBar;
  readonly #last = new Map<string, StepMetrics>();
  #buffer: cliProgress.SingleBar | undefined;
  #steps: cliProgress.SingleBar | undefined;
  /** A separate row: cli-progress counts one row per bar, and a line break in a format would shift the rows. */
  #statistics: cliProgress.SingleBar | undefined;
  readonly #stepping = new Pace();
  readonly #filling = new Pace();
  readonly #evaluations = new Map<string, Evaluation>();
  #evaluation: cliProgress.SingleBar | undefined;
  #stage = "";
  #stopped = false;

  /** `stream` is a terminal. */
  constructor(run: ResolvedRun, stream: NodeJS.WritableStream = process.stderr) {
    this.#run = run;
    this.#stream = stream;
    this.#bars = new cliProgress.MultiBar(
      { stream, hideCursor: true, clearOnComplete: false, forceRedraw: true, fps: 8, barsize: 24 },
      cliProgress.Presets.shades_classic,
    );
  }

  readonly observe: Observer = (event) => {
    switch (event.type) {
      case "stage":
        if (event.message !== this.#stage) this.note(event.message);
        this.#stage = event.message;
        break;
      case "notice":
        this.note(`Note: ${event.message}`);
        break;
      case "filling": {
        const rate = this.#filling.at(event.tokens);
        const format = " buffer {bar} {percentage} % · {rate} tokens/s";
        this.#buffer ??= this.#bars.create(event.capacity, 0, { rate: "…" }, { format });
        this.#buffer.update(Math.min(event.unread, event.capacity), { rate: rate === undefined ? "…" : count(rate) });
        break;
      }
      case "refreshed":
        this.#filling.restart();
        break;
      case "step": {
        const rate = this.#stepping.at(event.step);
        const left = event.steps === null ? "" : ` · ${timeLeft(event.steps - event.step, rate)} left`;
        const format = ` steps  {bar} {percentage} % · {value} of {total} · {rate} steps/s{left}`;
        this.#steps ??= this.#bars.create(event.steps ?? event.step, 0, { rate: "…", left }, { format });
        if (event.steps === null) this.#steps.setTotal(event.step + 1);
        this.#steps.update(event.step, { rate: rate === undefined ? "…" : rate.toFixed(1), left });
        break;
      }
      case "metrics": {
        const line = this.#label(event.dictionary) + metricsLine(event.metrics);
        this.#statistics ??= this.#bars.create(1, 0, { line }, { format: " {line}" });
        this.#statistics.update({ line });
        break;
      }
      case "resampled":
        this.note(
          `step ${count(event.step)}: resampled ${count(event.features.length)} dead features of ${event.dictionary}`,
        );
        break;
      case "finished":
        this.#last.set(event.dictionary, event.metrics);
        break;
      case "evaluating": {
        const { stage, done, total } = event;
        const format = " {stage} {bar} {amount}";
        const amount = total > 0 ? `${progressOf(done, total)} contexts` : "";
        const label = this.#label(event.dictionary) + stage.toLowerCase();
        this.#evaluation ??= this.#bars.create(Math.max(total, 1), 0, { stage: label, amount }, { format });
        this.#evaluation.setTotal(Math.max(total, 1));
        this.#evaluation.update(done, { stage: label, amount });
        break;
      }
      case "evaluated":
        this.#evaluations.set(event.dictionary, event.evaluation);
        break;
      case "resumed":
        this.#stepping.restart();
        this.#filling.restart();
        this.note(`Resumed after ${count(event.step)} steps`);
        break;
      case "kept":
      case "saved":
      case "worker":
        break;
    }
  };

  note(message: string): void {
    if (this.#buffer === undefined && this.#steps === undefined) this.#stream.write(`${message}\n`);
    else this.#bars.log(`${message}\n`);
  }

  finish(result: RunResult): void {
    this.stop();
    process.stdout.write(`\n${summary(this.#run, result, { last: this.#last, evaluations: this.#evaluations })}\n`);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#bars.stop();
  }

  #label(dictionary: string): string {
    return this.#run.dictionaries.length > 1 ? `${dictionary}: ` : "";
  }
}
