import { z } from "zod";

const count = () => z.int().min(0);

/** How far a source of rows has come, in this side's counts. What the worker holds of it is in the state's file. */
export const SourcePosition = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("cached"), batch: count() }),
  z.strictObject({
    kind: z.literal("buffer"),
    unread: count(),
    exhausted: z.boolean(),
    tokens: count(),
    /** Contexts that are run through the model at once; smaller than the config's after an out of memory. */
    inBatchSize: z.int().min(1),
    /** A refresh that was stopped in its middle, and what it had done. */
    refreshing: z.nullable(z.strictObject({ rows: count(), contexts: count() })),
  }),
]);
export type SourcePosition = z.output<typeof SourcePosition>;

/** What is left of a position when the rows are not kept: an empty buffer, and the text where it was. */
export const withoutRows = (position: SourcePosition): SourcePosition =>
  position.kind === "cached" ? position : { ...position, unread: 0, refreshing: null };
