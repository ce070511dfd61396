import type { ResolvedRun } from "../config/index.ts";
import type { Observer, RunResult } from "../train/index.ts";
import { JsonView } from "./view-json.ts";
import { PlainView } from "./view-plain.ts";
import { TerminalView } from "./view-terminal.ts";

/** A run's output for the user. */
export interface View {
  readonly observe: Observer;
  /** A line that stays on the screen. */
  note(message: string): void;
  /** The closing summary. */
  finish(result: RunResult): void;
  /** Restores the terminal; may be called more than once. */
  stop(): void;
}

/** Bars on a terminal, plain lines elsewhere, JSON lines where a program reads. */
export const createView = (run: ResolvedRun, { json }: { readonly json: boolean }): View => {
  if (json) return new JsonView();
  return process.stderr.isTTY ? new TerminalView(run) : new PlainView(run);
};
