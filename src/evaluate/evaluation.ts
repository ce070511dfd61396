import type { Interval } from "./bootstrap.ts";
import type { FrequencyHistogram } from "./frequencies.ts";
import type { StatisticName } from "./statistics.ts";

/** One number of an evaluation. */
export interface Statistic {
  /** NaN where it is not defined, such as loss recovered where the ablation does not change the loss. */
  readonly value: number;
  /** 95% confidence interval; null where there are fewer than two contexts. */
  readonly interval: Interval | null;
  /** Rows of activations, or predictions, that it averages over. */
  readonly tokens: number;
}

/** The numbers as dictionary_learning ddac948 prints them, under its own names. Its `mse_loss` is the root. */
export interface ReferenceStatistics {
  readonly mse_loss: number;
  readonly sparsity_loss: number;
  readonly l0: number;
  readonly percent_alive: number;
  readonly loss_original?: number;
  readonly loss_reconstructed?: number;
  readonly loss_zero?: number;
  readonly percent_recovered?: number;
}

/** The statistics of a dictionary: the content of `evaluation.json`. docs/statistics.md defines every number. */
export interface Evaluation {
  /** Features of the dictionary. */
  readonly dictionary_size: number;
  /** Contexts whose rows and losses were measured; groups of rows where the rows have no contexts. */
  readonly contexts: number;
  /** Rows of activations in them. */
  readonly tokens: number;
  /** Omits the losses where there was no model, or it does not predict the next token. */
  readonly statistics: Readonly<Partial<Record<StatisticName | "alive", Statistic>>>;
  /** Why the losses are missing although there was a model. */
  readonly no_losses?: string;
  readonly frequencies: FrequencyHistogram;
  /** With `compat: ddac948`. */
  readonly reference?: ReferenceStatistics;
}
