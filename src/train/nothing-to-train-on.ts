import type { RowSource } from "../buffer/index.ts";
import { DictlearnError } from "../errors.ts";

/** The error of a training that has no first batch. */
export const nothingToTrainOn = ({ shortage }: Pick<RowSource, "shortage">): DictlearnError => {
  const [message, hint] = WHY[shortage];
  return new DictlearnError(`There is nothing to train on: ${message}.`, { code: "no_tokens", hint });
};

const WHY: Readonly<Record<RowSource["shortage"], readonly [message: string, hint: string]>> = {
  "no-text": ["the text has no token in it", "Check data.path and data.text_field, or the documents of your script."],
  dropped: [
    "the text ends before the buffer is full, and its rows are dropped",
    "Set buffer.remaining_rows and buffer.partial_batches to serve, lower buffer.n_ctxs, or read more text.",
  ],
  "used-up": ["all of these rows were drawn before", "Make a new buffer for another training."],
};
