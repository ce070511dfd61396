import { closeSync, fstatSync, fsync, openSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import { cannotWrite } from "../checkpoint/index.ts";
import type { RunEvent } from "../train/events.ts";
import type { TrainingClock } from "./training-clock.ts";

/**
 * `metrics.jsonl`: one object per logged step, and one per event. Everything except `seconds` and the two `_per_second`
 * fields is the same in every run of a config, including resumed ones: only a resume that is not exact adds a line. NaN
 * and the infinities, which JSON lacks, become null.
 *
 * `seconds` counts the training up to this line, in all processes of the run; the rates are those of the current one
 * (see `TrainingClock`).
 */
export class JsonlSink implements Disposable {
  readonly #path: string;
  readonly #file: number;
  readonly #dictionary: string;
  readonly #clock: TrainingClock;
  #bytes: number;

  constructor(path: string, dictionary: string, clock: TrainingClock) {
    this.#clock = clock;
    this.#path = path;
    this.#dictionary = dictionary;
    try {
      this.#file = openSync(path, "a");
    } catch (error) {
      throw cannotWrite(path, error);
    }
    this.#bytes = fstatSync(this.#file).size;
  }

  /** Writes the events of this sink's dictionary, and those of the buffer that it shares. */
  readonly observe = (event: RunEvent): void => {
    if ("dictionary" in event && event.dictionary !== this.#dictionary) return;
    const line = this.#line(event);
    if (line !== undefined) this.#write(line);
  };

  /** Bytes of the file so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Settles when all written lines are on disk. */
  async sync(): Promise<void> {
    await promisify(fsync)(this.#file);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  #line(event: RunEvent): object | undefined {
    switch (event.type) {
      case "metrics": {
        const { step, tokens_seen } = event.metrics;
        return { ...event.metrics, ...this.#clock.at({ step: step + 1, tokens: tokens_seen }) };
      }
      case "resampled": {
        const { step, features, fresh } = event;
        return { event: "resampled", step, count: features.length, features, fresh };
      }
      case "saved":
        return { event: "saved", step: event.step };
      case "refreshed": {
        const { step, rows, contexts, exhausted, seconds } = event;
        return { event: "refreshed", step, rows, contexts, exhausted, seconds };
      }
      case "resumed":
        return event.exact ? undefined : { event: "resumed", step: event.step };
      case "finished":
        return { event: "finished", reason: event.reason, ...event.metrics };
      default:
        return undefined;
    }
  }

  #write(line: object): void {
    try {
      const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
      // A full disk may accept a part of it.
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done);
      this.#bytes += bytes.length;
    } catch (error) {
      throw cannotWrite(this.#path, error);
    }
  }
}
