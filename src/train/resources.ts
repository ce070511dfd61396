import { statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { CachedRows, type RowSource } from "../buffer/index.ts";
import { checkFits, type Estimate, estimateRun, type ResolvedRun } from "../config/index.ts";
import type { SiteSpec } from "../nnsight/index.ts";
import { siteIndex } from "./assemble.ts";

/** What the run needs, given the rows it reads. */
export const estimateFor = (run: ResolvedRun, source: RowSource, sites: readonly SiteSpec[]): Estimate => {
  const widths = (site: number) => source.widths[site] ?? { input: 0, output: 0 };
  return estimateRun(run, {
    sites: sites.map((site, index) => ({ ...widths(index), paired: site.io === "in_to_out" })),
    dictionaries: run.dictionaries.map((dictionary) => widths(siteIndex(run.config, sites, dictionary))),
    batchRows: source.batchRows,
    ...(source instanceof CachedRows ? { cachedBatches: source.length } : {}),
  });
};

/** Throws when the run's memory or disk would not be enough. */
export const requireResources = (run: ResolvedRun, source: RowSource, sites: readonly SiteSpec[]): Estimate => {
  const estimate = estimateFor(run, source, sites);
  const { output } = run.config;
  const cpu = source.worker.info.devices.find(({ kind }) => kind === "cpu");
  checkFits(estimate, { freeMemory: cpu?.free_bytes ?? Number.POSITIVE_INFINITY, freeDisk: freeDisk(output), output });
  return estimate;
};

/** Free bytes on the disk that a folder is on, or will be. */
const freeDisk = (path: string): number => {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = statfsSync(folder);
      return bavail * bsize;
    } catch (error) {
      if (folder === dirname(folder)) throw error;
    }
  }
};
