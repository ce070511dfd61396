import { join } from "node:path";
import { GOLDEN, tinyRun } from "../cli/support.ts";

/** A run that refreshes its buffer about ten times and resamples twice, on a live model. Its states are close together. */
export const liveRun = {
  ...tinyRun,
  resume: "exact",
  resume_every: 7,
  worker_timeout: 20,
  train: { ...tinyRun.train, steps: 110, resample_steps: 40, save_steps: 20, log_steps: 5 },
};

/** The same on cached rows, until the file ends. */
export const cachedRun = {
  activations: join(GOLDEN, "train", "standard-f32.safetensors"),
  device: "cpu",
  resume: "exact",
  resume_every: 7,
  worker_timeout: 20,
  train: {
    steps: null,
    lr: 1e-3,
    warmup_steps: 5,
    resample_steps: 20,
    resample_rows: 512,
    save_steps: 10,
    log_steps: 5,
  },
  dictionaries: [{ dictionary_size: 64 }],
};
