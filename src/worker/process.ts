import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { pythonVariables } from "../environment/index.ts";
import { WorkerStartError } from "./errors.ts";

/** Some 0.4 ms: longer than the gap between two parallel parts of a step, shorter than a scheduler's time slice. */
const SPINS = "12000";

/**
 * How torch's threads (GNU OpenMP) wait for each other, unless the user's environment sets it: they spin, then sleep.
 * By default they spin for milliseconds, on a core that the threads they wait for may need. See docs/log.md.
 */
export const waiting = (inherited: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  inherited.OMP_WAIT_POLICY === undefined ? { GOMP_SPINCOUNT: SPINS, ...inherited } : inherited;

const STDERR_LINES = 40;
const TERM_AFTER_MS = 2_000;
const KILL_AFTER_MS = 1_000;

/** How a process ended: its exit code, or the signal that ended it. */
export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * The Python process: in its own session, with its standard error kept for error messages. It does not keep Node
 * running.
 */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #stderr: string[] = [];
  /** Settles when the process is gone; never rejects. */
  readonly ended: Promise<ProcessEnd>;

  constructor(
    python: string,
    /** How it receives the addresses of its channels. */
    endpoints: Readonly<Record<string, string>>,
    options: { managed?: boolean; command?: readonly string[]; environment?: NodeJS.ProcessEnv } = {},
  ) {
    this.#child = spawn(python, [...(options.command ?? ["-m", "dictlearn_worker"])], {
      // Its own session: Ctrl-C in the terminal is handled by this process.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...waiting(process.env),
        ...pythonVariables({ python, managed: options.managed ?? false }),
        ...options.environment,
        PYTHONUNBUFFERED: "1",
        ...endpoints,
        DICTLEARN_PARENT: String(process.pid),
      },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr] as (Socket | null)[]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => this.#remember(line));
      stream.unref();
    }
    this.#child.unref();
    this.ended = new Promise((resolve) => {
      this.#child.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
      this.#child.once("error", () => resolve({ exitCode: null, signal: null }));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The last lines the process wrote, oldest first. */
  get stderr(): readonly string[] {
    return this.#stderr;
  }

  /** Rejects when the operating system could not start the process at all. */
  async spawned(python: string): Promise<void> {
    if (this.#child.pid !== undefined) return;
    const [error] = (await once(this.#child, "error")) as [Error];
    throw new WorkerStartError(`The Python interpreter ${python} could not be started: ${error.message}.`, {
      hint: "Run `dictlearn doctor` to see what is wrong.",
      cause: error,
    });
  }

  /** From now on Node keeps running until the process is gone. */
  kill(signal: NodeJS.Signals): void {
    this.#child.ref();
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
  }

  /** After a request to shut down: waits, then sends SIGTERM, then kills. */
  async stop(): Promise<ProcessEnd> {
    const term = setTimeout(() => this.kill("SIGTERM"), TERM_AFTER_MS);
    const kill = setTimeout(() => this.kill("SIGKILL"), TERM_AFTER_MS + KILL_AFTER_MS);
    try {
      return await this.ended;
    } finally {
      clearTimeout(term);
      clearTimeout(kill);
    }
  }

  #remember(line: string): void {
    if (line.trim() === "") return;
    this.#stderr.push(line);
    if (this.#stderr.length > STDERR_LINES) this.#stderr.shift();
  }
}
