import { z } from "zod";
import { method } from "./method.ts";
import { Adam, float, Handle, int, Loss, Resampling, StepNumbers } from "./types.ts";

/** The steps of training and the operations between them, on the `data` channel. */
export const trainMethods = {
  /** Adds an optimiser and the record of when each feature last fired. */
  "trainee.create": method({ dictionary: Handle, adam: Adam }, { trainee: Handle }),
  /** Draws one batch of `rows[i]` rows per step and takes that step with every trainee. Fails with `non_finite_loss` and the step. */
  "train.steps": method({ source: Handle, rows: z.array(int()), trainees: z.array(StepNumbers) }, {}),
  /** Both loss terms and more on the last batch drawn, with the current weights. Changes nothing. */
  "train.metrics": method(
    { source: Handle, trainee: Handle, site: int(), scale: z.number(), loss: Loss, dead_since: int() },
    {
      mse_loss: float,
      rmse_loss: float,
      sparsity_loss: float,
      l0: float,
      fraction_variance_explained: float,
      dead_features: int(),
    },
  ),
  /** Mean of |row|² over the rows that the source holds, both inputs and targets where they differ. */
  "source.mean_square_norm": method({ source: Handle, site: int() }, { mean_square_norm: float }),
  /** The features that have not fired at step `since` or later. */
  "train.dead": method({ trainee: Handle, since: int() }, { features: z.array(int()) }),
  /**
   * Resamples the given features after step `step`. Returns those resampled: fewer than requested if there are too few
   * distinct rows. `fresh` is true when no feature was alive. Fails with `all_dead` if that is requested, and with
   * `non_finite_loss` when the rows' losses are not finite.
   */
  "train.resample": method(
    {
      source: Handle,
      trainee: Handle,
      site: int(),
      scale: z.number(),
      step: int(),
      features: z.array(int()),
      generator: Handle,
      resampling: Resampling,
    },
    { features: z.array(int()), fresh: z.boolean() },
  ),
};
