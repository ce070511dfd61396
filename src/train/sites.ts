import type { ResolvedDictionary, RunConfig } from "../config/index.ts";
import type { SiteSpec } from "../nnsight/index.ts";

/** The sites that the dictionaries read, each once, in the order of their first appearance. */
export const distinctSites = (dictionaries: readonly ResolvedDictionary[]): SiteSpec[] => {
  const sites = new Map<string, SiteSpec>();
  for (const { submodule = "", io } of dictionaries) sites.set(siteKey({ submodule, io }), { submodule, io });
  return [...sites.values()];
};

/** Which of the source's sites a dictionary reads. */
export const siteIndex = (
  config: RunConfig,
  sites: readonly SiteSpec[],
  { submodule = "", io }: ResolvedDictionary,
): number => (config.activations ? 0 : sites.findIndex((site) => siteKey(site) === siteKey({ submodule, io })));

const siteKey = ({ submodule, io }: SiteSpec): string => `${io} ${submodule}`;
