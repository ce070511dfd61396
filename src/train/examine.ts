import type { Estimate, ResolvedRun } from "../config/index.ts";
import { resolveDevice } from "../nnsight/index.ts";
import type { Worker } from "../worker/index.ts";
import { Generators, openSource } from "./assemble.ts";
import { type RowFacts, requireResources } from "./resources.ts";
import { distinctSites } from "./sites.ts";

/** Opens everything that a run reads, without running it, and says what it needs. Throws as the run would. */
export const examineRun = async (run: ResolvedRun, worker: Worker): Promise<Estimate> => {
  const { config, dictionaries } = run;
  const generators = await Generators.create(worker, config);
  const sites = config.activations ? [] : distinctSites(dictionaries);
  const device = resolveDevice(worker, config.device);
  let estimate: Estimate | undefined;
  const approve = (rows: RowFacts) => {
    estimate = requireResources(run, worker, sites, rows);
  };
  const events = {};
  const observe = () => {};
  await using _source = await openSource(worker, config, { sites, generators, device, observe, events, approve });
  if (estimate === undefined) throw new Error("The rows were never looked at.");
  return estimate;
};
