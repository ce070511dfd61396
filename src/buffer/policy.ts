/** The settings of a buffer that the policy needs. All counts are rows, except `inBatchSize`, which is contexts. */
export interface BufferShape {
  /** n_ctxs · ctx_len. */
  readonly capacity: number;
  readonly ctxLen: number;
  readonly inBatchSize: number;
  readonly outBatchSize: number;
  /** Share of the capacity below which the unread rows are topped up. */
  readonly refreshBelow: number;
  /** `whole-batches`: an append is always `inBatchSize` contexts and may overshoot the capacity. */
  readonly append: "fit" | "whole-batches";
  /** Refresh also when less than a batch is unread. */
  readonly batchAhead: boolean;
  /** How unread rows are handled when the text ends during a refresh. */
  readonly remainingRows: "serve" | "drop";
}

/** Rows to allocate: the capacity and the most that the last append of a refresh can overshoot it by. */
export const allocatedRows = ({ capacity, ctxLen, inBatchSize, append }: BufferShape): number =>
  capacity + ctxLen * (append === "whole-batches" ? inBatchSize : 1);

/**
 * Whether the buffer is refreshed before the next batch. The reference (dictionary_learning ddac948) refreshes when fewer
 * than half the capacity is unread, even if that leaves less than a batch; by default we keep a whole batch.
 */
export const needsRefresh = (unread: number, shape: BufferShape): boolean => {
  const threshold = Math.floor(shape.capacity * shape.refreshBelow);
  return unread < (shape.batchAhead ? Math.max(threshold, shape.outBatchSize) : threshold);
};

/** How many contexts the next append of a refresh takes; 0 when the buffer is full. */
export const contextsToAppend = (unread: number, shape: BufferShape): number => {
  const free = shape.capacity - unread;
  if (free <= 0) return 0;
  return shape.append === "whole-batches"
    ? shape.inBatchSize
    : Math.min(shape.inBatchSize, Math.ceil(free / shape.ctxLen));
};

/** How many contexts a whole refresh takes: the sum of its appends, however many they are. */
const contextsToFill = (unread: number, shape: BufferShape): number => {
  const free = Math.max(0, shape.capacity - unread);
  return shape.append === "whole-batches"
    ? Math.ceil(free / (shape.inBatchSize * shape.ctxLen)) * shape.inBatchSize
    : Math.ceil(free / shape.ctxLen);
};

/**
 * How many contexts to try at once after `inBatchSize` did not fit the memory; undefined: no smaller number is left.
 */
export const halved = (inBatchSize: number): number | undefined =>
  inBatchSize > 1 ? Math.floor(inBatchSize / 2) : undefined;

/**
 * The sizes of the batches that can be drawn, at most `most` of them, before the policy must decide again. The last
 * rows of an exhausted stream form a smaller batch; with `remainingRows: drop`, an exhausted stream gives no more.
 */
export const drawableBatches = (unread: number, exhausted: boolean, most: number, shape: BufferShape): number[] => {
  const batches: number[] = [];
  if (exhausted && shape.remainingRows === "drop") return batches;
  let left = unread;
  while (batches.length < most && left > 0) {
    if (!exhausted && needsRefresh(left, shape)) break;
    const rows = Math.min(shape.outBatchSize, left);
    batches.push(rows);
    left -= rows;
  }
  return batches;
};

/** A run's use of its buffer. */
export interface BufferWork {
  /** Batches drawn; the last one of a text that ends may be smaller. */
  readonly batches: number;
  /** Rows appended. */
  readonly rows: number;
  readonly refreshes: number;
}

/**
 * Simulates the buffer until `batches` batches are drawn or the text's `available` rows are used up, where contexts are
 * full.
 */
export const bufferWork = (
  batches: number,
  shape: BufferShape,
  available: number = Number.POSITIVE_INFINITY,
): BufferWork => {
  const done = { batches: 0, rows: 0, refreshes: 0 };
  let unread = 0;
  while (done.batches < batches) {
    if (done.rows < available && needsRefresh(unread, shape)) {
      done.refreshes += 1;
      const added = Math.min(contextsToFill(unread, shape) * shape.ctxLen, available - done.rows);
      unread += added;
      done.rows += added;
    }
    const [rows] = drawableBatches(unread, done.rows >= available, 1, shape);
    if (rows === undefined) break;
    unread -= rows;
    done.batches += 1;
  }
  return done;
};

/** Rows appended to the buffer until `batches` batches are drawn, where the text does not end. */
export const rowsAppended = (batches: number, shape: BufferShape): number => bufferWork(batches, shape).rows;
