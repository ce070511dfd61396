import { statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { checkFits, type Estimate, estimateRun, type ResolvedRun } from "../config/index.ts";
import type { SiteSpec, Widths } from "../nnsight/index.ts";
import type { Worker } from "../worker/index.ts";
import { siteIndex } from "./sites.ts";

/** Facts about the rows, known before any memory is allocated for them. */
export interface RowFacts {
  /** One entry for each site. */
  readonly widths: readonly Widths[];
  readonly batchRows: number;
  /** Batches of cached rows, when there is no buffer. */
  readonly cachedBatches?: number;
}

/** The needs of a run. */
export const estimateResources = (run: ResolvedRun, sites: readonly SiteSpec[], rows: RowFacts): Estimate =>
  estimateRun(run, {
    ...rows,
    sites: sites.map((site, index) => ({ ...widthsOf(rows, index), paired: site.io === "in_to_out" })),
    dictionaries: dictionaryWidths(run, sites, rows),
  });

/** The widths that each dictionary of the run has, in order. */
export const dictionaryWidths = (run: ResolvedRun, sites: readonly SiteSpec[], rows: RowFacts): Widths[] =>
  run.dictionaries.map((dictionary) => widthsOf(rows, siteIndex(run.config, sites, dictionary)));

const widthsOf = ({ widths }: RowFacts, site: number): Widths => widths[site] ?? { input: 0, output: 0 };

/** Throws when this machine has too little memory or disk for the run. */
export const requireResources = (estimate: Estimate, { config }: ResolvedRun, worker: Worker): void => {
  const { output } = config;
  const cpu = worker.info.devices.find(({ kind }) => kind === "cpu");
  checkFits(estimate, { freeMemory: cpu?.free_bytes ?? Number.POSITIVE_INFINITY, freeDisk: freeDisk(output), output });
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
