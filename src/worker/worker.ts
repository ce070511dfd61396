import { ignoredVariables } from "../environment/index.ts";
import type { PythonEnvironment } from "../environment/setup.ts";
import { CancelledError } from "../errors.ts";
import { checkOptions, isPlain, kinds, optionsOf } from "../options/index.ts";
import type { controlMethods, HandleRef, MethodName, Params, Progress, Result } from "../protocol/index.ts";
import { schemaHash } from "../protocol/index.ts";
import { calledFrom } from "./called-from.ts";
import { Channel } from "./channel.ts";
import { encode } from "./codec.ts";
import { type Endpoints, newEndpoints } from "./endpoints.ts";
import { ProtocolMismatchError, WorkerDiedError, WorkerStartError } from "./errors.ts";
import { PendingCalls, type Reply } from "./pending.ts";
import { WorkerProcess } from "./process.ts";
import { Pulse } from "./pulse.ts";
import { Releases } from "./releases.ts";

export interface WorkerOptions {
  /** The interpreter that runs the worker. */
  readonly python: string;
  /** Whether dictlearn created its environment, which then runs without the shell's variables for other Pythons. */
  readonly managed?: boolean;
  /** Arguments of the interpreter instead of `-m dictlearn_worker`; for tests with fake workers. */
  readonly command?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  /** `ipc`, `tcp` or `tcp://ADDRESS`; defaults to DICTLEARN_ENDPOINT. */
  readonly endpoint?: string | undefined;
  /** Time limit for the worker to import torch and say hello, in milliseconds. */
  readonly startTimeout?: number;
  /** Time limit without a heartbeat while it is busy, in milliseconds; without it, no limit. */
  readonly hangTimeout?: number;
}

const OPTIONS = optionsOf<WorkerOptions & Pick<PythonEnvironment, "managed">>(
  {
    python: kinds.name("the path of an interpreter, as a text"),
    command: kinds.listOf("arguments, as texts", (each) => typeof each === "string"),
    environment: kinds.that("an object of texts", isPlain),
    endpoint: kinds.name(),
    startTimeout: kinds.aboveZero(),
    hangTimeout: kinds.aboveZero(),
    // `Worker.start(await ensureEnvironment())` passes it.
    managed: kinds.flag(),
  },
  ["python"],
);

export interface CallOptions {
  /** Raw buffers that follow the envelope. */
  readonly frames?: readonly Uint8Array[];
  /** Calls of one window fail together: none runs after one that failed. */
  readonly window?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

type ControlName = keyof typeof controlMethods;
type DataName = Exclude<MethodName, ControlName>;

const START_TIMEOUT_MS = 120_000;
let generations = 0;

/** The hint when an interpreter does not start as a worker. Only a managed environment can be recreated. */
const startHint = ({ python, managed }: WorkerOptions): string => {
  if (managed) return "Run `dictlearn doctor` to see what is wrong, or `dictlearn setup --repair` to make it again.";
  const variables = ignoredVariables();
  const runs = variables.length === 0 ? "" : ` It runs with ${variables.join(", ")}: try without.`;
  return `Run \`dictlearn doctor --python ${python}\` to see what is wrong.${runs}`;
};

/**
 * One Python worker process and the two channels to it. Calls run in order, one at a time, on the thread that owns
 * torch; `ping` and cancellation reach the process at any time. Closing stops the process in stages; an open worker
 * without pending calls does not keep Node running, and ends with it.
 */
export class Worker implements AsyncDisposable {
  readonly #process: WorkerProcess;
  readonly #endpoints: Endpoints;
  readonly #data: Channel;
  readonly #control: Channel;
  readonly #calls = new PendingCalls();
  readonly #controlCalls = new PendingCalls();
  #hello: Result<"hello"> | undefined;
  #closing: Promise<void> | undefined;
  #windows = 0;
  readonly #releases = new Releases(async (handles) => await this.call("release", { handles }));
  readonly #further: Channel[] = [];
  #endedBy: ((error: Error) => void) | undefined;
  /** Settles with the reason when the process is gone or the worker closed; never rejects. */
  readonly ended = new Promise<Error>((resolve) => {
    this.#endedBy = resolve;
  });
  #alive = true;
  #pulse: Pulse | undefined;
  readonly #endWithNode = (): void => {
    this.#process.kill("SIGKILL");
    this.#endpoints.remove();
  };
  /** Number of the worker process in this Node process; handles carry it. */
  readonly generation = ++generations;

  private constructor(channels: { data: Channel; control: Channel }, endpoints: Endpoints, running: WorkerProcess) {
    this.#data = channels.data;
    this.#control = channels.control;
    this.#endpoints = endpoints;
    this.#process = running;
    process.once("exit", this.#endWithNode);
  }

  /** Starts a worker and agrees on the protocol with it. Throws `WorkerStartError` or `ProtocolMismatchError`. */
  static async start(options: WorkerOptions): Promise<Worker> {
    checkOptions(OPTIONS, options, "Worker.start");
    const channels = { data: new Channel(), control: new Channel() };
    const endpoints = newEndpoints(options.endpoint ?? process.env.DICTLEARN_ENDPOINT);
    const environment = {
      ...endpoints.environment,
      DICTLEARN_DATA: await endpoints.bind(channels.data, "data"),
      DICTLEARN_CONTROL: await endpoints.bind(channels.control, "control"),
    };
    const worker = new Worker(channels, endpoints, new WorkerProcess(options.python, environment, options));
    try {
      await worker.#process.spawned(options.python);
      worker.#listenToAll();
      await worker.#greet(options);
      if (options.hangTimeout !== undefined) worker.#watch(options.hangTimeout);
      return worker;
    } catch (error) {
      await worker.#abandon();
      throw error;
    }
  }

  /** The worker's description of itself: versions, devices, interpreter. */
  get info(): Result<"hello"> {
    if (this.#hello === undefined) throw new WorkerStartError("The worker has not said hello yet.");
    return this.#hello;
  }

  get pid(): number {
    return this.info.pid;
  }

  /** False as soon as the process is known to be gone. */
  get alive(): boolean {
    return this.#alive;
  }

  /** Pending calls. */
  get inFlight(): number {
    return this.#calls.size;
  }

  /** A fresh window number for calls that must fail together. */
  newWindow(): number {
    return ++this.#windows;
  }

  /** Runs one method in the worker. Rejects with a typed error; see `errors.ts`. */
  async call<M extends DataName>(method: M, params: Params<M>, options: CallOptions = {}): Promise<Result<M>> {
    return (await this.callWithFrames(method, params, options)).result;
  }

  /** As `call`, with the raw frames of the reply. */
  async callWithFrames<M extends DataName>(
    method: M,
    params: Params<M>,
    options: CallOptions = {},
  ): Promise<Reply<Result<M>>> {
    const { signal, frames = [], window } = options;
    if (signal?.aborted) throw new CancelledError();
    const { id, reply } = this.#calls.open(method, options.onProgress);
    // The reply also rejects when the worker dies, which makes a failed send visible.
    this.#data.send([encode({ id, method, params, window }), ...frames]).catch(() => undefined);
    const cancel = () => void this.#controlCall("cancel", { id }).catch(() => undefined);
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return (await reply) as Reply<Result<M>>;
    } catch (error) {
      throw calledFrom(error);
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Frees one object, together with all others released at the same time. */
  async release(handle: HandleRef): Promise<void> {
    await this.#releases.add(handle);
  }

  /** Opens another channel to the process, for `bridge.open`; it is closed with the worker. */
  async openChannel(name: string): Promise<{ channel: Channel; endpoint: string }> {
    const channel = new Channel();
    this.#further.push(channel);
    return { channel, endpoint: await this.#endpoints.bind(channel, `${name}${this.#further.length}`) };
  }

  /** The running method, or null; the control thread answers even while torch is busy. */
  async ping(): Promise<Result<"ping">> {
    return await this.#controlCall("ping", {});
  }

  /** Stops the process: requests it, then sends SIGTERM, then kills. Pending calls reject with `CancelledError`. */
  async close(): Promise<void> {
    this.#closing ??= this.#stop();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Ends the process at once; for the second Ctrl-C. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }

  #listenToAll(): void {
    this.#listen(this.#data, this.#calls);
    this.#listen(this.#control, this.#controlCalls);
    void this.#process.ended.then((end) => {
      const { stderr } = this.#process;
      const died = new WorkerDiedError({ ...end, stderr, method: this.#calls.oldest, hungFor: this.#pulse?.lostAfter });
      this.#shut(this.#closing === undefined ? died : new CancelledError("The worker was closed."));
    });
  }

  #listen(channel: Channel, calls: PendingCalls): void {
    channel
      .listen(
        (frames) => calls.receive(frames),
        () => calls.size > 0,
      )
      .catch((error: unknown) => {
        this.#shut(
          new ProtocolMismatchError(`The worker's answer could not be read: ${String(error)}`, { cause: error }),
        );
        this.#process.kill("SIGKILL");
      });
  }

  async #greet(options: WorkerOptions): Promise<void> {
    const limit = options.startTimeout ?? START_TIMEOUT_MS;
    const hint = startHint(options);
    const timer = setTimeout(() => {
      this.#shut(
        new WorkerStartError(`The worker of ${options.python} did not answer within ${limit / 1000} s.`, { hint }),
      );
    }, limit);
    try {
      const hello = await this.call("hello", { schema_hash: schemaHash(), generation: this.generation });
      if (hello.schema_hash !== schemaHash()) {
        throw new ProtocolMismatchError(
          `The worker of ${options.python} speaks protocol ${hello.schema_hash}, but dictlearn speaks ${schemaHash()}.`,
        );
      }
      this.#hello = hello;
    } catch (error) {
      if (!(error instanceof WorkerDiedError)) throw error;
      const reason = error.end.stderr.at(-1)?.trim() ?? `it ended with exit code ${error.end.exitCode}`;
      throw new WorkerStartError(`The worker of ${options.python} could not start: ${reason}`, {
        hint,
        cause: error.cause,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the process if its control thread does not answer while calls are pending. */
  #watch(timeout: number): void {
    this.#pulse = new Pulse(timeout, {
      busy: () => this.#calls.size > 0,
      ping: async () => await this.ping(),
      onLost: () => this.#process.kill("SIGKILL"),
    });
  }

  async #controlCall<M extends ControlName>(method: M, params: Params<M>): Promise<Result<M>> {
    const { id, reply } = this.#controlCalls.open(method);
    this.#control.send([encode({ id, method, params })]).catch(() => undefined);
    return (await reply).result as Result<M>;
  }

  async #stop(): Promise<void> {
    this.#controlCall("shutdown", {}).catch(() => undefined);
    await this.#process.stop();
    this.#shut(new CancelledError("The worker was closed."));
  }

  async #abandon(): Promise<void> {
    this.#closing ??= Promise.resolve();
    this.#process.kill("SIGKILL");
    await this.#process.ended;
    this.#shut(new CancelledError("The worker was closed."));
  }

  #shut(error: Error): void {
    this.#alive = false;
    this.#pulse?.stop();
    this.#calls.close(error);
    this.#controlCalls.close(error);
    this.#data.close();
    this.#control.close();
    for (const channel of this.#further) channel.close();
    this.#endedBy?.(error);
    this.#endpoints.remove();
    process.removeListener("exit", this.#endWithNode);
  }
}
