import { cacheFolder, ensureEnvironment } from "../src/environment/index.ts";
import { path } from "./support.ts";

/** Variables for that environment: no network, and few threads, because test files run side by side. */
export const OTHER_ENVIRONMENT = { OMP_NUM_THREADS: "1", HF_HUB_OFFLINE: "1", WANDB_MODE: "disabled" };

/**
 * The interpreter of an environment with dictionary_learning, SAELens and sparsify. Like the worker's own, it is
 * created once for each state of the pins; the first time takes minutes.
 */
export const otherPython = async (): Promise<string> => {
  const chosen = process.env.DICTLEARN_PYTHON;
  delete process.env.DICTLEARN_PYTHON;
  // Their own requirements conflict and pull in gigabytes; the file of pins is complete.
  process.env.PIP_NO_DEPS = "1";
  const modules = ["dictionary_learning", "sae_lens", "sparsify"].map((module) => ({ module, package: module }));
  const places = { cache: cacheFolder(), requirements: path("test/fixtures/other-libraries.txt"), modules };
  try {
    return (await ensureEnvironment({}, places)).python;
  } finally {
    delete process.env.PIP_NO_DEPS;
    if (chosen !== undefined) process.env.DICTLEARN_PYTHON = chosen;
  }
};
