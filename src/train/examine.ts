import type { Estimate, ResolvedRun } from "../config/index.ts";
import { resolveDevice } from "../nnsight/index.ts";
import type { Worker } from "../worker/index.ts";
import { distinctSites, Generators, openSource } from "./assemble.ts";
import { requireResources } from "./resources.ts";

/** Opens everything that a run reads, without running it, and says what it needs. Throws as the run would. */
export const examineRun = async (run: ResolvedRun, worker: Worker): Promise<Estimate> => {
  const { config, dictionaries } = run;
  const generators = await Generators.create(worker, config);
  const sites = config.activations ? [] : distinctSites(dictionaries);
  const device = resolveDevice(worker, config.device);
  await using source = await openSource(worker, config, { sites, generators, device, observe: () => {}, events: {} });
  return requireResources(run, source, sites);
};
