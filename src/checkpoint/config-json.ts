import type { ResolvedDictionary, RunConfig } from "../config/index.ts";
import type { Widths } from "../nnsight/index.ts";
import type { TrainSettings } from "../train/settings.ts";

export interface ConfigJsonFacts {
  readonly config: RunConfig;
  readonly dictionary: ResolvedDictionary;
  readonly widths: Widths;
  readonly device: string;
  /** Versions of dictlearn and of the worker's packages. */
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * The `config.json` next to an `ae.pt`: the keys that current readers of such folders look for (dictionary_learning's
 * `trainer` and `buffer`), and the full resolved run.
 */
export const configJson = ({ config, dictionary, widths, device, versions }: ConfigJsonFacts): object => {
  const train: TrainSettings = dictionary.train;
  const layer = /\.(\d+)(\.|$)/.exec(dictionary.submodule ?? "")?.[1];
  return {
    trainer: {
      trainer_class: "StandardTrainer",
      // No class of dictionary_learning has two widths, so none may be mistaken for one.
      dict_class: widths.input === widths.output ? "AutoEncoder" : "InputBiasAutoEncoder",
      activation_dim: widths.input,
      dict_size: dictionary.dictionary_size,
      lr: train.lr,
      steps: train.steps,
      warmup_steps: train.warmup_steps,
      resample_steps: train.resample_steps,
      sparsity_penalty: train.sparsity_penalty,
      layer: layer === undefined ? null : Number(layer),
      lm_name: config.model ?? null,
      submodule_name: dictionary.submodule ?? null,
      device,
      seed: dictionary.seed,
    },
    buffer: {
      d_submodule: widths.input,
      io: dictionary.io,
      n_ctxs: config.buffer.n_ctxs,
      ctx_len: config.buffer.ctx_len,
      refresh_batch_size: config.buffer.in_batch_size,
      out_batch_size: config.buffer.out_batch_size,
    },
    dictionary: {
      name: dictionary.name,
      output_dim: widths.output,
      // Where the widths differ, ae.pt has separate biases for inputs and outputs.
      input_bias: widths.input !== widths.output,
      train,
    },
    run: config,
    versions,
  };
};
