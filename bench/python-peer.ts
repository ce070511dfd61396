import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

/** A Python script that runs next to the worker and answers one line of JSON with one line of JSON. */
export class PythonPeer implements AsyncDisposable {
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  private constructor(python: string, script: string, env: Record<string, string>) {
    this.#child = execa(python, [script], { stdin: "pipe", stderr: "inherit", buffer: false, env });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** `script`: a file of this folder. `env`: added to this process's. */
  static start(python: string, script: string, env: Record<string, string> = {}): PythonPeer {
    return new PythonPeer(python, fileURLToPath(new URL(script, import.meta.url)), env);
  }

  /** Throws if the script ended instead of answering. */
  async ask(request: object): Promise<Record<string, unknown>> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("The Python script ended; its error is above.");
    return JSON.parse(value) as Record<string, unknown>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#child.catch(() => undefined);
  }
}
