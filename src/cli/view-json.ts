import type { Observer, RunResult } from "../train/index.ts";
import type { View } from "./view.ts";

/** One JSON object per event on standard output. NaN and the infinities become null. */
export class JsonView implements View {
  readonly observe: Observer = (event) => this.#print(event);

  note(message: string): void {
    this.#print({ type: "notice", message });
  }

  finish(result: RunResult): void {
    this.#print({ type: "done", ...result });
  }

  stop(): void {}

  #print(value: object): void {
    process.stdout.write(`${JSON.stringify(value)}\n`);
  }
}
