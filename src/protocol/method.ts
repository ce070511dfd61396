import { z } from "zod";

/** One method of the worker: its parameters and its result. Events are sent as `Progress`. */
export interface Method {
  readonly params: z.ZodObject;
  readonly result: z.ZodObject;
}

/** A method from the shapes of its two messages. */
export const method = <P extends z.ZodRawShape, R extends z.ZodRawShape>(params: P, result: R) => ({
  params: z.object(params),
  result: z.object(result),
});
