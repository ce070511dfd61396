import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { path, python } from "../support.ts";

/** Values that must never appear in a file. */
export const SECRET = "hf_aTokenThatNobodyMaySee";

/** One line of `--json`. */
export interface RunLine {
  readonly type: string;
  readonly pid?: number;
  readonly step?: number;
  readonly message?: string;
  readonly exact?: boolean;
}

/** How a command ended. */
export interface LifeEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  readonly lines: readonly RunLine[];
}

/** One life of `dictlearn train`, as seen by a watching program. */
export class Life {
  readonly #child: ChildProcess;
  readonly #lines: RunLine[] = [];
  readonly #ended: Promise<unknown>;
  readonly #closed: Promise<unknown>;
  readonly #onLine: (line: RunLine, life: Life) => void;
  #stderr = "";
  #worker = 0;

  private constructor(child: ChildProcess, onLine: (line: RunLine, life: Life) => void) {
    this.#child = child;
    this.#onLine = onLine;
    this.#ended = once(child, "exit");
    this.#closed = once(child, "close");
    child.stderr?.on("data", (data: Buffer) => {
      this.#stderr += data.toString();
    });
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => this.#read(line));
  }

  /** Starts `dictlearn train ARGS --json`; `onLine` gets every event as it arrives. */
  static async start(
    args: readonly string[],
    onLine: (line: RunLine, life: Life) => void = () => {},
    { env = {}, shell }: { readonly env?: NodeJS.ProcessEnv; readonly shell?: string } = {},
  ): Promise<Life> {
    const command = [process.execPath, "--import", "tsx", path("src/cli/main.ts"), "train", ...args, "--json"];
    const [file = "", ...rest] = shell === undefined ? command : ["sh", "-c", shell, "sh", ...command];
    const child = spawn(file, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        DICTLEARN_PYTHON: await python(),
        HF_HUB_OFFLINE: "1",
        OMP_NUM_THREADS: "1",
        HF_TOKEN: SECRET,
        ...env,
      },
    });
    return new Life(child, onLine);
  }

  /** The current worker's process id. */
  get worker(): number {
    return this.#worker;
  }

  get lines(): readonly RunLine[] {
    return this.#lines;
  }

  kill(victim: "node" | "worker", signal: NodeJS.Signals = "SIGKILL"): void {
    if (victim === "node") this.#child.kill(signal);
    else if (this.#worker > 0) {
      try {
        process.kill(this.#worker, signal);
      } catch {
        // It has just exited by itself.
      }
    }
  }

  async end(): Promise<LifeEnd> {
    await this.#ended;
    await this.#closed;
    const { exitCode: code, signalCode: signal } = this.#child;
    return { code, signal, stderr: this.#stderr, lines: this.#lines };
  }

  #read(line: string): void {
    // A line truncated by a kill is not an event.
    if (!line.endsWith("}")) return;
    const event: RunLine = JSON.parse(line);
    if (event.type === "worker" && event.pid !== undefined) this.#worker = event.pid;
    this.#lines.push(event);
    this.#onLine(event, this);
  }
}
