import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  allocatedRows,
  type BufferShape,
  bufferWork,
  contextsToAppend,
  drawableBatches,
  needsRefresh,
  rowsAppended,
} from "../../src/buffer/policy.ts";

const shape = (over: Partial<BufferShape> = {}): BufferShape => ({
  capacity: 640,
  ctxLen: 32,
  inBatchSize: 8,
  outBatchSize: 64,
  refreshBelow: 0.5,
  append: "fit",
  batchAhead: true,
  remainingRows: "serve",
  ...over,
});

const shapes = fc
  .record({
    nCtxs: fc.integer({ min: 1, max: 50 }),
    ctxLen: fc.integer({ min: 1, max: 64 }),
    inBatchSize: fc.integer({ min: 1, max: 20 }),
    share: fc.double({ min: 0.01, max: 1, noNaN: true }),
    refreshBelow: fc.double({ min: 0.05, max: 0.95, noNaN: true }),
  })
  .map(({ nCtxs, ctxLen, inBatchSize, share, refreshBelow }) => {
    const capacity = nCtxs * ctxLen;
    const outBatchSize = Math.max(1, Math.floor(capacity * share));
    return shape({ capacity, ctxLen, inBatchSize, outBatchSize, refreshBelow });
  });

/** Plays a whole run with contexts of random length; returns the batches drawn and the rows added. */
const play = (buffer: BufferShape, lengths: readonly number[], most: number) => {
  let unread = 0;
  let held = 0;
  let next = 0;
  let exhausted = false;
  const drawn: number[] = [];
  for (;;) {
    if (!exhausted && needsRefresh(unread, buffer)) {
      for (
        let wanted = contextsToAppend(unread, buffer);
        wanted > 0 && !exhausted;
        wanted = contextsToAppend(unread, buffer)
      ) {
        const taken = lengths.slice(next, next + wanted);
        next += taken.length;
        unread += taken.reduce((sum, each) => sum + each, 0);
        held = Math.max(held, unread);
        exhausted = next >= lengths.length;
      }
    }
    const batches = drawableBatches(unread, exhausted, most, buffer);
    if (batches.length === 0) break;
    drawn.push(...batches);
    unread -= batches.reduce((sum, each) => sum + each, 0);
  }
  return { drawn, held, unread };
};

describe("the buffer's policy", () => {
  it("serves every row of the stream, in full batches but the last, and never outgrows its allocation", () => {
    fc.assert(
      fc.property(
        shapes,
        fc.array(fc.integer({ min: 1, max: 64 }), { maxLength: 200 }),
        fc.integer({ min: 1, max: 9 }),
        (buffer, raw, most) => {
          const lengths = raw.map((length) => Math.min(length, buffer.ctxLen));
          const { drawn, held, unread } = play(buffer, lengths, most);
          expect(unread).toBe(0);
          expect(drawn.reduce((sum, each) => sum + each, 0)).toBe(lengths.reduce((sum, each) => sum + each, 0));
          expect(drawn.slice(0, -1).every((rows) => rows === buffer.outBatchSize)).toBe(true);
          expect(held).toBeLessThanOrEqual(allocatedRows(buffer));
        },
      ),
    );
  });

  it("serves the same batches however many are asked for at once", () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 100 }), (buffer, contexts) => {
        const lengths = Array.from({ length: contexts }, () => buffer.ctxLen);
        expect(play(buffer, lengths, 7).drawn).toEqual(play(buffer, lengths, 1).drawn);
      }),
    );
  });

  it("follows the reference's counts under its rules", () => {
    // golden/buffer/out.json: 765 rows after the first refresh, refreshed again when 317 are unread.
    const reference = shape({ append: "whole-batches", batchAhead: false, remainingRows: "drop" });
    expect(contextsToAppend(0, reference)).toBe(8);
    expect(contextsToAppend(639, reference)).toBe(8);
    expect(contextsToAppend(640, reference)).toBe(0);
    expect(needsRefresh(320, reference)).toBe(false);
    expect(needsRefresh(319, reference)).toBe(true);
    expect(drawableBatches(765, false, 99, reference)).toHaveLength(7);
    // The text ended during a refresh that had brought the buffer above the threshold: it still stops.
    expect(drawableBatches(500, true, 99, reference)).toHaveLength(0);
    expect(needsRefresh(599, shape({ outBatchSize: 600, batchAhead: false }))).toBe(false);
  });

  it("keeps a whole batch ready when a batch is larger than the threshold", () => {
    const large = shape({ outBatchSize: 600 });
    expect(needsRefresh(599, large)).toBe(true);
    expect(needsRefresh(600, large)).toBe(false);
  });
});

describe("the buffer's work in a whole run", () => {
  it("is what a run does until its text ends", () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 1, max: 150 }), (buffer, contexts) => {
        const lengths = Array.from({ length: contexts }, () => buffer.ctxLen);
        const work = bufferWork(Number.POSITIVE_INFINITY, buffer, contexts * buffer.ctxLen);
        expect(work.batches).toBe(play(buffer, lengths, 1).drawn.length);
        expect(work.rows).toBe(contexts * buffer.ctxLen);
      }),
    );
  });
});

describe("rows appended until so many batches are drawn", () => {
  it.each([
    // 20 contexts of 32; six batches of 64 leave 256 of 640 rows, below half, so 384 are added before the seventh.
    [0, {}, 0],
    [1, {}, 640],
    [6, {}, 640],
    [7, {}, 640 + 384],
    [12, {}, 640 + 384],
    [13, {}, 640 + 2 * 384],
    // Appends of 8 whole contexts overshoot: 768 rows, and after seven batches 320 are left, which is not below half.
    [8, { append: "whole-batches" }, 768],
    [9, { append: "whole-batches" }, 768 + 512],
    // Counted at once: 2^40 contexts would otherwise be appended one batch at a time.
    [1, { capacity: 2 ** 45 }, 2 ** 45],
    [1, { capacity: 2 ** 45, append: "whole-batches" }, 2 ** 45],
  ] as const)("%i batches, %j", (batches, over, rows) => {
    expect(rowsAppended(batches, shape(over))).toBe(rows);
  });
});
