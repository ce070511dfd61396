import type { TraceOperation } from "../../protocol/index.ts";
import type { CallSite } from "./call-site.ts";

/** One recorded operation. */
export interface Recorded {
  readonly operation: TraceOperation;
  /** When the forward pass has its inputs: the event of a read or write, else the latest event of its operands. */
  readonly time: number;
  /** The values that it takes, and those that it creates. */
  readonly takes: readonly number[];
  readonly makes: readonly number[];
  /** The script's method, for errors. */
  readonly name: string;
  readonly site: CallSite;
}

export interface Schedule {
  readonly program: readonly Recorded[];
  /** The forward pass can stop after the last operation. */
  readonly stop: boolean;
  /** Some operation takes a gradient. */
  readonly gradients: boolean;
}

/**
 * The operations with an effect, in the order of the forward pass, ties in the order of recording. `end` is the event
 * of the model's output. Each operation's time is at least that of its operands, so nothing is used before it exists.
 */
export const schedule = (recorded: readonly Recorded[], end: number): Schedule => {
  const needed = new Set<number>();
  const kept: Recorded[] = [];
  for (const each of recorded.toReversed()) {
    const { op } = each.operation;
    if (op !== "save" && op !== "write" && !each.makes.some((value) => needed.has(value))) continue;
    for (const value of each.takes) needed.add(value);
    kept.push(each);
  }
  const program = kept.toReversed().sort((a, b) => a.time - b.time);
  return {
    program,
    stop: (program.at(-1)?.time ?? end) < end,
    gradients: program.some(({ operation }) => operation.op === "gradient"),
  };
};
