import { z } from "zod";
import { method } from "./method.ts";
import { float, Handle, int, TensorFrame } from "./types.ts";

/** Another feature, and the cosine between the two decoder columns. */
const Neighbour = z.object({ feature: int(), cosine: float }).meta({ id: "Neighbour" });

/**
 * A token of the vocabulary as text, and the contribution of a decoder column to its logit, in standard deviations over
 * the vocabulary.
 */
const TokenEffect = z.object({ token: int(), text: z.string(), effect: float }).meta({ id: "TokenEffect" });

/** The tokens whose logits a decoder column raises and lowers most, strongest first; none for a column of zeros. */
const DirectEffect = z
  .object({ promoted: z.array(TokenEffect), suppressed: z.array(TokenEffect) })
  .meta({ id: "DirectEffect" });

/** Methods about single features, on the `data` channel. */
export const featureMethods = {
  /**
   * Runs up to `n_contexts` contexts through the full model and back to the site. `effects` [features]: the first-order
   * estimate of how much the sum of the next tokens' cross-entropies (nats) would rise without each feature. `fired`
   * [features]: the number of rows on which it is not 0.
   */
  "features.loss_effects": method(
    { evaluation: Handle, contexts: Handle, n_contexts: int() },
    {
      contexts: int(),
      rows: int(),
      predictions: int(),
      effects: TensorFrame,
      fired: TensorFrame,
      exhausted: z.boolean(),
      starved: z.boolean(),
    },
  ),
  /**
   * For each of `features`, the `count` others whose decoder columns have the highest cosine with its own, highest
   * first.
   */
  "features.neighbours": method(
    { dictionary: Handle, features: z.array(int()), count: int() },
    { neighbours: z.array(z.array(Neighbour)) },
  ),
  /**
   * For each of `features`, the effect of its decoder column, as a direction of the residual stream, on the logits
   * through the final norm and the unembedding: `count` tokens at either end. Fails with `no_unembedding` if the model
   * has none of that width.
   */
  "features.direct_effects": method(
    { model: Handle, dictionary: Handle, features: z.array(int()), count: int() },
    { effects: z.array(DirectEffect) },
  ),
};
