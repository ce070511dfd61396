/** The columns of the authors' tables, in their order; `PUBLISHED_COLUMNS` defines each one. */
const PUBLISHED_COLUMN_NAMES = ["mse_loss", "l1_loss", "l0", "alive", "loss_recovered"] as const;
export type PublishedColumn = (typeof PUBLISHED_COLUMN_NAMES)[number];

/** One row of the authors' tables, with its three decimals. */
export type PublishedStatistics = {
  /** As printed: the root of the mean over rows and coordinates, despite its name. */
  readonly mse_loss: number;
  /** Mean over rows of the sum of features. */
  readonly l1_loss: number;
  /** Mean number of features that are not zero. */
  readonly l0: number;
  /** Share of features that are not zero on at least one of 8192 tokens. */
  readonly alive: number;
  /** (L_rec − L_zero) / (L_orig − L_zero) of the model's cross-entropy. */
  readonly loss_recovered: number;
  /** The authors' later correction of `mse_loss`, where there is one: the mean of squares. */
  readonly corrected_mean_square_error?: number;
};

/** The training settings of a set; null where its authors do not state them. */
export interface PublishedHyperparameters {
  readonly lr: number | null;
  /** The rate in the authors' example of a training, which need not be the set's. */
  readonly lr_in_example: number | null;
  readonly sparsity_penalty: number | null;
  readonly warmup_steps: number | null;
  readonly resample_steps: number | null;
  /** Steps in its config.json. */
  readonly steps: number | null;
  /** Roughly how many of them were run, if different. */
  readonly steps_run: number | null;
  readonly out_batch_size: number | null;
  readonly ctx_len: number | null;
  /** Approximate number of training tokens. */
  readonly tokens: number;
  /** True where the numbers were inferred from scripts of the time and not stated by the authors. */
  readonly inferred: boolean;
}

/** One released dictionary. */
export interface PublishedDictionary {
  /** The set's name, `0_8192`. */
  readonly set: string;
  /** The name of the place in the model, as in folder names: `mlp_out_layer3`, `attn_out_layer0`, `embed`. */
  readonly site: string;
  /** null for the embedding. */
  readonly layer: number | null;
  /** The module that it reads, as named in current transformers, `gpt_neox.layers.3.mlp`. */
  readonly submodule: string;
  readonly io: "out";
  /** Its path below a mirror's or a download's top folder: `pythia-70m-deduped/mlp_out_layer3/0_8192`. */
  readonly folder: string;
  /** d, the width of the activations. */
  readonly activation_dim: number;
  /** m, the number of features. */
  readonly dictionary_size: number;
  /** The authors' measurements; null where they published none. */
  readonly statistics: PublishedStatistics | null;
}

/** Where a set's files are: separate files below a web server's index pages, or all in one zip. */
type PublishedSource =
  | { readonly kind: "folders"; readonly url: string }
  | {
      readonly kind: "zip";
      /** On the Hugging Face hub. */
      readonly repository: string;
      readonly revision: string;
      readonly file: string;
      readonly bytes: number;
      readonly sha256: string;
      /** The folder in the zip that is a download's top folder. */
      readonly root: string;
    };

/** Dictionaries that were released together. */
export interface PublishedSet {
  readonly name: string;
  /** Hub id of the model. */
  readonly model: string;
  /** Source of the training text; the authors' sample of it is unknown. */
  readonly text: string;
  readonly source: PublishedSource;
  readonly hyperparameters: PublishedHyperparameters;
  /** Approximate bytes of one `ae.pt`: four parameters of float32. */
  readonly ae_bytes: number;
  /** In the order of the model. */
  readonly dictionaries: readonly PublishedDictionary[];
}
