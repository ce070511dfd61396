import type { Estimate, ResolvedRun } from "../config/index.ts";
import { DictlearnError } from "../errors.ts";
import { type LanguageModel, resolveDevice } from "../nnsight/index.ts";
import { Scope, type Worker } from "../worker/index.ts";
import { Generators, openSource } from "./assemble.ts";
import type { Observer } from "./events.ts";
import { type RunFlops, runFlops } from "./flops.ts";
import { dictionaryWidths, estimateResources, type RowFacts, requireResources } from "./resources.ts";
import { checkRun } from "./script-options.ts";
import { distinctSites } from "./sites.ts";

export interface RunExamination {
  readonly estimate: Estimate;
  readonly flops: RunFlops;
  /** Notices that the run would report before its first step. */
  readonly notices: readonly string[];
  /** Why the run would not fit this machine. */
  readonly misfit?: DictlearnError;
}

/**
 * Opens everything that a run reads and estimates its needs, without running it. Throws as the run would, except where
 * memory or disk are too small: then it allocates nothing and leaves the text unopened.
 */
export const examineRun = async (run: ResolvedRun, worker: Worker): Promise<RunExamination> => {
  checkRun("examineRun", run, worker);
  const { config, dictionaries } = run;
  await using scope = new Scope();
  const generators = scope.use(await Generators.create(worker, config));
  const sites = config.activations ? [] : distinctSites(dictionaries);
  const device = resolveDevice(worker, config.device);
  const notices: string[] = [];
  let needs: RunExamination | undefined;
  const approve = async (rows: RowFacts, model?: LanguageModel) => {
    const estimate = estimateResources(run, sites, rows);
    const counted = await model?.flops(sites, config.buffer.ctx_len);
    const facts = { ...rows, estimate, dictionaries: dictionaryWidths(run, sites, rows), model: counted };
    needs = { estimate, flops: runFlops(run, facts), notices };
    requireResources(estimate, run, worker);
  };
  const observe: Observer = (event) => {
    if (event.type === "notice") notices.push(event.message);
  };
  const options = { sites, generators, scope, device, observe, events: {}, approve };
  try {
    await openSource(worker, config, options);
  } catch (error) {
    if (needs === undefined || !(error instanceof DictlearnError) || error.code !== "does_not_fit") throw error;
    return { ...needs, misfit: error };
  }
  if (needs === undefined) throw new Error("The rows were never looked at.");
  return needs;
};
