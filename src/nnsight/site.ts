/** Where activations are read: a module's dotted path, and its output, its input, or both as (input, target). */
export interface SiteSpec {
  readonly submodule: string;
  readonly io: "out" | "in" | "in_to_out";
}

/** Widths of the rows of one site: what a dictionary reads and what it reconstructs. */
export interface Widths {
  readonly input: number;
  readonly output: number;
}
