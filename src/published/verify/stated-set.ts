import type { PublishedHyperparameters, PublishedSet } from "../published-set.ts";

/** What there has to be known of a set so that its dictionaries can be measured and compared; a `PublishedSet` is one. */
export type StatedSet = Pick<PublishedSet, "name" | "model" | "text" | "dictionaries"> & {
  readonly hyperparameters: Pick<PublishedHyperparameters, "ctx_len">;
};
