import type { BufferEvents } from "../buffer/index.ts";
import type { JsonlSink } from "../metrics/index.ts";
import type { Observer, RunEvent } from "./events.ts";

/** Passes events on to the caller and to the metrics files, and remembers what an error message must mention. */
export class RunLog {
  readonly lastCheckpoints = new Map<string, string>();
  /** Steps run so far. */
  step = 0;
  /** Whether the steps are done, and the dictionaries are being evaluated. */
  evaluating = false;
  readonly #observe: Observer;
  #sinks: readonly JsonlSink[] = [];
  /** Events from before the files existed. */
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

  readonly bufferEvents: BufferEvents = {
    filling: (unread, capacity, tokens) => this.observe({ type: "filling", unread, capacity, tokens }),
    refreshed: (refresh) => this.observe({ type: "refreshed", step: this.step, ...refresh }),
    smallerBatches: (contexts) =>
      this.observe({
        type: "notice",
        message: `The model ran out of memory, so from now on it gets ${contexts} contexts at once (buffer.in_batch_size); the last bits of the activations may depend on it.`,
      }),
  };

  /** Forgets the events of a failed attempt. */
  begin(): void {
    this.#early = [];
    this.step = 0;
    this.evaluating = false;
  }

  /** Writes events to these files from now on, earlier ones first. */
  open(sinks: readonly JsonlSink[]): Disposable {
    this.#sinks = sinks;
    for (const event of this.#early.splice(0)) for (const sink of sinks) sink.observe(event);
    return { [Symbol.dispose]: () => this.#close() };
  }

  #close(): void {
    for (const sink of this.#sinks) sink[Symbol.dispose]();
    this.#sinks = [];
  }
}
