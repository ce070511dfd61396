import type { PublishedHyperparameters, PublishedSet } from "../published-set.ts";

/** The facts about a set that measuring and comparing its dictionaries require; a `PublishedSet` is one. */
export type StatedSet = Pick<PublishedSet, "name" | "model" | "text" | "dictionaries"> & {
  readonly hyperparameters: Pick<PublishedHyperparameters, "ctx_len">;
};
