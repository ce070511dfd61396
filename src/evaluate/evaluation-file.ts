import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { DictlearnError } from "../errors.ts";
import type { Evaluation } from "./evaluation.ts";
import type { EvaluationSubject } from "./subject.ts";

/** JSON has no NaN: an undefined number is written as null. */
const Float = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

const Statistic = z.object({ value: Float, interval: z.tuple([Float, Float]).nullable(), tokens: z.number() });

const File = z.looseObject({
  dictionary_size: z.int(),
  contexts: z.int(),
  tokens: z.int(),
  statistics: z.record(z.string(), Statistic),
  no_losses: z.string().optional(),
  frequencies: z.object({
    tokens: z.int(),
    features: z.int(),
    edges: z.array(z.number()),
    counts: z.array(z.int()),
    dead: Float,
    always_on: Float,
  }),
});

/** An `evaluation.json`: the statistics, and the inputs they were measured on. */
export type EvaluationFile = Evaluation & Partial<EvaluationSubject>;

/** Reads an `evaluation.json`; null where there is none. Throws a `DictlearnError` when it is damaged. */
export const readEvaluation = (path: string): EvaluationFile | null => {
  if (!existsSync(path)) return null;
  try {
    return File.parse(JSON.parse(readFileSync(path, "utf8"))) as EvaluationFile;
  } catch (error) {
    throw new DictlearnError(`${path} is not an evaluation: it is not a JSON object of that form.`, {
      code: "bad_evaluation",
      hint: "Delete it; `dictlearn evaluate` writes it anew.",
      cause: error,
    });
  }
};
