import { ConfigError } from "../errors.ts";
import type { Widths } from "../nnsight/index.ts";
import { shown } from "../options/index.ts";
import type { DictionaryOrigin } from "../places/index.ts";
import type { FoundFile, HandleRef } from "../protocol/index.ts";
import type { Worker } from "../worker/index.ts";
import type { SourcePosition } from "./position.ts";

/** Rows in the worker. */
export interface HeldRows {
  readonly worker: Worker;
  readonly ref: HandleRef;
  /** Rows of a full batch. */
  readonly batchRows: number;
  /** One entry per site. */
  readonly widths: readonly Widths[];
  /** Where the rows of each site come from, where that is known. */
  readonly origins?: readonly DictionaryOrigin[];
}

/** A source of batches of rows: a buffer filled by a model, or cached activations. The rows stay in the worker. */
export interface RowSource extends HeldRows {
  /** Prepares the first batch, so that bad input is found early. False when there are no rows. */
  fill(signal?: AbortSignal): Promise<boolean>;
  /**
   * Prepares batches and returns how many rows each of the next ones has, at most `most` batches; empty at the end of
   * the stream. The caller draws exactly these batches.
   */
  next(most: number, signal?: AbortSignal): Promise<readonly number[]>;
  /** How many batches are left; null while the end of the stream is unknown. Reads ahead as `fill` does. */
  batchesLeft(signal?: AbortSignal): Promise<number | null>;
  /** Why there is no batch, if there is none. */
  readonly shortage: Shortage;
}

/** Why a source has no batch: its text had no token, its rows were dropped since they filled no buffer, or others took them. */
export type Shortage = "no-text" | "dropped" | "used-up";

/** Throws a `ConfigError` for an invalid number of batches. */
export const checkMost = (most: number): void => {
  if (typeof most === "number" && most >= 0 && (Number.isInteger(most) || most === Number.POSITIVE_INFINITY)) return;
  throw new ConfigError(`next: most is ${shown(most)}, but must be a whole number of at least 0, or Infinity.`);
};

/** The recipe from which a script creates a source, as JSON: the same recipe gives the same rows. */
export type Recipe = Readonly<Record<string, unknown>>;

/** A file on this machine's disk that rows come from, as the worker found it. `of`: the input that it belongs to. */
export interface SourceFile extends FoundFile {
  readonly of: "model" | "text" | "activations";
}

/** A source of rows that can be saved between two batches and restored there. */
export interface ResumableSource extends RowSource {
  /**
   * The recipe that a script created it from; null where it cannot be created again: strings from the script itself,
   * and the parts of a run.
   */
  readonly recipe: Recipe | null;
  /** The random stream of its draws; null where it draws nothing. */
  readonly generator: HandleRef | null;
  /** The worker's objects that are saved with it; null where there are none. */
  readonly contexts: HandleRef | null;
  readonly model: HandleRef | null;
  /** Every file that it reads, in order. */
  readonly inputs: readonly SourceFile[];
  position(): SourcePosition;
  /** Restores a position; the worker's objects are restored by `state.load`. */
  resumeAt(position: SourcePosition): void;
}
