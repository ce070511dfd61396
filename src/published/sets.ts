import type {
  PublishedDictionary,
  PublishedHyperparameters,
  PublishedSet,
  PublishedStatistics,
} from "./published-set.ts";

const MODEL = "EleutherAI/pythia-70m-deduped";
const FOLDER = "pythia-70m-deduped";
const LAYERS = [0, 1, 2, 3, 4, 5];
const ACTIVATION_DIM = 512;
const TEXT = "The Pile";
const MIRROR = "https://baulab.us/u/smarks/autoencoders/";

/** The kinds of sites: the folder's name, and the module whose output was read. */
const SITES = {
  embed: { site: () => "embed", submodule: () => "gpt_neox.embed_in" },
  attention: { site: (n: number) => `attn_out_layer${n}`, submodule: (n: number) => `gpt_neox.layers.${n}.attention` },
  mlp: { site: (n: number) => `mlp_out_layer${n}`, submodule: (n: number) => `gpt_neox.layers.${n}.mlp` },
  residual: { site: (n: number) => `resid_out_layer${n}`, submodule: (n: number) => `gpt_neox.layers.${n}` },
} as const;

interface Made {
  readonly set: string;
  readonly dictionary_size: number;
  readonly statistics?: PublishedStatistics | undefined;
}

const dictionary = (
  kind: keyof typeof SITES,
  layer: number | null,
  { set, dictionary_size, statistics }: Made,
): PublishedDictionary => {
  const site = SITES[kind].site(layer ?? 0);
  return {
    set,
    site,
    layer,
    submodule: SITES[kind].submodule(layer ?? 0),
    io: "out",
    folder: `${FOLDER}/${site}/${set}`,
    activation_dim: ACTIVATION_DIM,
    dictionary_size,
    statistics: statistics ?? null,
  };
};

type Row = readonly [mse_loss: number, l1_loss: number, l0: number, alive: number, loss_recovered: number];

const statistics = (
  [mse_loss, l1_loss, l0, alive, loss_recovered]: Row,
  corrected_mean_square_error?: number,
): PublishedStatistics => ({
  mse_loss,
  l1_loss,
  l0,
  alive,
  loss_recovered,
  ...(corrected_mean_square_error === undefined ? {} : { corrected_mean_square_error }),
});

const mlpSet = (set: string, dictionary_size: number, rows: readonly PublishedStatistics[]): PublishedDictionary[] =>
  rows.map((row, layer) => dictionary("mlp", layer, { set, dictionary_size, statistics: row }));

/** The authors' statements about both sets of December 2023. Their learning rate and warm-up are unknown. */
const FIRST: PublishedHyperparameters = {
  lr: null,
  lr_in_example: 3e-4,
  sparsity_penalty: null,
  warmup_steps: null,
  resample_steps: 30_000,
  steps: null,
  steps_run: null,
  out_batch_size: 8192,
  ctx_len: 128,
  tokens: 800_000_000,
  inferred: false,
};

/** 0_8192, by layer. `corrected_mean_square_error` is from a later version of the same table. */
const ROWS_0_8192 = [
  statistics([0.056, 6.132, 9.951, 0.998, 0.984], 0.003),
  statistics([0.089, 6.677, 44.739, 0.887, 0.924], 0.008),
  statistics([0.108, 11.44, 62.156, 0.587, 0.867], 0.011),
  statistics([0.135, 23.773, 175.303, 0.588, 0.902], 0.018),
  statistics([0.148, 27.084, 174.07, 0.806, 0.927], 0.022),
  statistics([0.179, 47.126, 235.05, 0.672, 0.972], 0.032),
];

/** 1_32768, by layer. */
const ROWS_1_32768 = [
  statistics([0.09, 4.32, 2.873, 0.174, 0.946]),
  statistics([0.13, 2.798, 11.256, 0.159, 0.768]),
  statistics([0.152, 6.151, 16.381, 0.118, 0.724]),
  statistics([0.211, 11.571, 39.863, 0.226, 0.765]),
  statistics([0.222, 13.665, 29.235, 0.19, 0.816]),
  statistics([0.265, 26.4, 43.846, 0.13, 0.931]),
];

/** The set of 2024: every site of the model, the embedding first. */
const LATER = { set: "10_32768", dictionary_size: 32_768 };

/**
 * The released dictionaries for pythia-70m-deduped, as far as their authors (S. Marks and A. Mueller) state it.
 *
 * Source: README of saprmarks/dictionary_learning, commit ddac948 (2023-12-04), for the first two sets and their
 * tables; the hub repository saprmarks/pythia-70m-deduped-saes for the third. The third's hyperparameters are inferred
 * from two public scripts of the time. Submodules are named as in current transformers.
 */
export const PUBLISHED_SETS: readonly PublishedSet[] = [
  {
    name: "0_8192",
    model: MODEL,
    text: TEXT,
    source: { kind: "folders", url: MIRROR },
    hyperparameters: { ...FIRST, sparsity_penalty: 1e-3, steps: 100_000 },
    ae_bytes: 33_600_000,
    dictionaries: mlpSet("0_8192", 8192, ROWS_0_8192),
  },
  {
    name: "1_32768",
    model: MODEL,
    text: TEXT,
    source: { kind: "folders", url: MIRROR },
    hyperparameters: { ...FIRST, sparsity_penalty: 3e-3, steps: 200_000, steps_run: 103_000 },
    ae_bytes: 134_350_000,
    dictionaries: mlpSet("1_32768", 32_768, ROWS_1_32768),
  },
  {
    name: "10_32768",
    model: MODEL,
    text: TEXT,
    source: {
      kind: "zip",
      repository: "saprmarks/pythia-70m-deduped-saes",
      revision: "50a434461d36ed78d1b0b901944e6edc829f1dce",
      file: "dictionaries_pythia-70m-deduped_10.zip",
      bytes: 2_369_891_306,
      sha256: "e8e320f0d068b2edf6b43ae2b641c96aaf0b3e5631cf173576325d4ad75c7979",
      root: "dictionaries",
    },
    hyperparameters: {
      lr: 1e-4,
      lr_in_example: null,
      sparsity_penalty: 0.1,
      warmup_steps: 1000,
      resample_steps: 25_000,
      steps: 120_000,
      steps_run: null,
      out_batch_size: 16_384,
      ctx_len: null,
      tokens: 2_000_000_000,
      inferred: true,
    },
    ae_bytes: 134_350_000,
    dictionaries: [
      dictionary("embed", null, LATER),
      ...LAYERS.flatMap((layer) =>
        (["attention", "mlp", "residual"] as const).map((kind) => dictionary(kind, layer, LATER)),
      ),
    ],
  },
];
