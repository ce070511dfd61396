import { z } from "zod";

const count = () => z.int().min(0);

/** How far a source of rows has come, in counts of this process. The worker's part is in the state's file. */
export const SourcePosition = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("cached"), batch: count() }),
  z.strictObject({
    kind: z.literal("buffer"),
    unread: count(),
    exhausted: z.boolean(),
    tokens: count(),
    /** Contexts that are run through the model at once; smaller than the config's after an out of memory. */
    inBatchSize: z.int().min(1),
    /** A refresh that was interrupted, and its progress. */
    refreshing: z.nullable(z.strictObject({ rows: count(), contexts: count() })),
  }),
]);
export type SourcePosition = z.output<typeof SourcePosition>;

/** The rest of a position when the rows are not kept: an empty buffer, and the same place in the text. */
export const withoutRows = (position: SourcePosition): SourcePosition =>
  position.kind === "cached" ? position : { ...position, unread: 0, refreshing: null };
