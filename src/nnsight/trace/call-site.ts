import { fileURLToPath } from "node:url";

/** The folder whose frames are ours and not the script's; the same from `src/` and from `dist/`. */
const OWN = fileURLToPath(new URL("../", import.meta.url));
const FRAMES = 20;
/** Below `recording`, the stack has functions that wait, and none that recorded. */
const BOTTOM = /^\s*at recording /;
/** `at name (file:///a/b.ts:3:14)`, or without name and brackets. */
const FRAME = /^\s*at (?:.*\()?(?:file:\/\/)?(\/.*?|[A-Za-z]:.*?):(\d+):(\d+)\)?$/;

/** A line of the user's script. It is put into words only when somebody asks, since most never do. */
export class CallSite {
  readonly #trace: { readonly stack?: string } = {};
  readonly #outer: CallSite | undefined;

  /** The line that called into this library; where it is the library itself that calls back later, that of `outer`. */
  constructor(outer?: CallSite) {
    this.#outer = outer;
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = FRAMES;
    Error.captureStackTrace(this.#trace, CallSite);
    Error.stackTraceLimit = limit;
  }

  /** `/home/me/script.ts:12:9`; Node has applied source maps where it knows of them. */
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
