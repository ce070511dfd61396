import type { HeldRows } from "../buffer/index.ts";

/** Rows that are drawn repeatedly, as if a full buffer never ran out. */
export class RepeatedRows {
  readonly source: HeldRows;
  #left: number[] = [];

  constructor(source: HeldRows) {
    this.source = source;
  }

  /** Prepares `count` batches, or as many as there are rows for. Keep it out of the timing. */
  async ready(count: number): Promise<void> {
    if (this.#left.length >= count) return;
    const { worker, ref, batchRows } = this.source;
    const { rows } = await worker.call("bench.rows", { source: ref, rows: "all" });
    const batches = Math.floor(rows / batchRows);
    this.#left = batches > 0 ? Array.from({ length: batches }, () => batchRows) : [rows];
  }

  /** The sizes of the next batches: at most `count`, none if no more are ready. The caller draws them. */
  take(count: number): number[] {
    return this.#left.splice(0, count);
  }
}
