import { fileURLToPath } from "node:url";

/** The folder whose frames belong to dictlearn and not to the script; the same from `src/` and from `dist/`. */
const OWN = fileURLToPath(new URL("../", import.meta.url));
const FRAMES = 20;
/** Below `recording`, the stack has awaiting functions, none that recorded. */
const BOTTOM = /^\s*at recording /;
/** `at name (file:///a/b.ts:3:14)`, or without name and parentheses. */
const FRAME = /^\s*at (?:.*\()?(?:file:\/\/)?(\/.*?|[A-Za-z]:.*?):(\d+):(\d+)\)?$/;

/** A line of the user's script. It is formatted only on request, since most are never read. */
export class CallSite {
  readonly #trace: { readonly stack?: string } = {};
  readonly #outer: CallSite | undefined;

  /** The line that called into this library; if the library itself calls back later, the line of `outer`. */
  constructor(outer?: CallSite) {
    this.#outer = outer;
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = FRAMES;
    Error.captureStackTrace(this.#trace, CallSite);
    Error.stackTraceLimit = limit;
  }

  /** `/home/me/script.ts:12:9`; Node has applied source maps that it knows. */
  toString(): string {
    for (const line of this.#trace.stack?.split("\n") ?? []) {
      if (BOTTOM.test(line)) break;
      const [, file, row, column] = FRAME.exec(line) ?? [];
      if (file !== undefined && !decodeURI(file).startsWith(OWN)) return `${decodeURI(file)}:${row}:${column}`;
    }
    return this.#outer?.toString() ?? "an unknown line";
  }
}

/** Calls the script's callback. */
export const recording = <T>(callback: () => T): T => callback();
