import type { LanguageModel } from "../nnsight/index.ts";

/** Why the losses of a model's next tokens mean nothing, in a sentence: BERT sees the token that it would predict. null: they do. */
export const whyNoLosses = async (model: LanguageModel): Promise<string | null> => {
  const { why_not } = await model.worker.call("model.next_token", { model: model.ref });
  return why_not;
};
