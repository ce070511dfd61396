import { checkArguments, checkOptions, kinds, optionsOf } from "../options/index.ts";

/**
 * The place where activations are read: a module's dotted path, and its output, its input, or both as (input, target).
 */
export interface SiteSpec {
  readonly submodule: string;
  readonly io: "out" | "in" | "in_to_out";
}

/** Widths of the rows of one site: those that a dictionary reads and those that it reconstructs. */
export interface Widths {
  readonly input: number;
  readonly output: number;
}

export const io = () => kinds.oneOf("out", "in", "in_to_out");

const SITE = optionsOf<SiteSpec>({ submodule: kinds.name(), io: io() }, ["submodule", "io"]);

/** Throws a `ConfigError` for an invalid list of sites. */
export const checkSites = (caller: string, sites: readonly SiteSpec[]): void => {
  checkArguments(caller, { sites: [sites, kinds.listOf("sites { submodule, io }", () => true)] });
  for (const site of sites) checkOptions(SITE, site, `a site of ${caller}`);
};
