import type { LanguageModel } from "../nnsight/index.ts";

/**
 * Why a model's next-token losses are meaningless, in a sentence: BERT sees the token that it would predict. null: they
 * are meaningful.
 */
export const whyNoLosses = async (model: LanguageModel): Promise<string | null> => {
  const { why_not } = await model.worker.call("model.next_token", { model: model.ref });
  return why_not;
};
