import { join } from "node:path";
import fc from "fast-check";
import { path } from "../support.ts";

/** A run for both programs; bench/reference/run.py documents the keys. `null` turns a key off. */
export type ReferenceCase = TrainingPart & { readonly name: string } & (CachedPart | BufferPart);

type TrainingPart = ReturnType<typeof trainingArbitrary> extends fc.Arbitrary<infer T> ? T : never;

interface CachedPart {
  readonly rows: {
    readonly seed: number;
    readonly batches: number;
    readonly batch: number;
    readonly width: number;
    /** Width of the targets, with in_to_out. */
    readonly target_width: number;
    readonly directions: number;
    readonly threshold: number;
  };
}

interface BufferPart {
  readonly model: string;
  /** null: the run's dtype, as in the reference, whose default dtype applies to everything. */
  readonly model_dtype: "float32" | null;
  readonly submodule: string;
  readonly texts: string;
  readonly n_ctxs: number;
  readonly ctx_len: number;
  readonly in_batch_size: number;
  readonly out_batch_size: number;
}

const between = (min: number, max: number) => fc.integer({ min, max });
/** Sizes of every kind; a third are powers of two, whose arithmetic hides differences that others show. */
const size = (exponents: readonly [number, number], most: number) =>
  fc.oneof(
    { weight: 1, arbitrary: between(...exponents).map((exponent) => 2 ** exponent) },
    { weight: 2, arbitrary: between(2 ** exponents[0], most) },
  );
/** Usually a number, sometimes off. */
const maybe = (min: number, max: number) => fc.option(between(min, max), { nil: null, freq: 4 });
const powerOfTen = (least: number, most: number) =>
  fc.double({ min: least, max: most, noNaN: true }).map((exponent) => 10 ** exponent);

/** Hyperparameters, including warm-ups longer than the run and windows of every length, also 1 and 2. */
const trainingArbitrary = (most: number) =>
  fc.record({
    dictionary_size: between(8, 96),
    lr: powerOfTen(-4, -1.5),
    sparsity_penalty: powerOfTen(-4, 0),
    warmup_steps: between(0, 80),
    steps: maybe(1, most),
    entropy: fc.boolean(),
    resample_steps: maybe(1, 25),
    save_steps: maybe(1, 25),
    seed: between(0, 2 ** 31),
    io: fc.constantFrom("out", "in", "in_to_out"),
    dtype: fc.constantFrom("float32", "float64"),
  });

const cachedArbitrary = fc.record({
  rows: fc.record({
    seed: between(0, 1000),
    batches: between(1, 70),
    batch: size([0, 6], 70),
    width: size([1, 5], 40),
    target_width: size([1, 5], 40),
    directions: between(4, 64),
    threshold: fc.double({ min: 0, max: 0.95, noNaN: true }),
  }),
  train: trainingArbitrary(90),
});

const MOST_STEPS = 60;
const TINY = path("test/fixtures/golden/tiny-neox");

/** We refuse a batch larger than the whole buffer. */
const bufferArbitrary = fc.record({
  buffer: fc
    .record({
      model: fc.constant(TINY),
      texts: fc.constant(path("test/fixtures/golden/texts.jsonl")),
      model_dtype: fc.constantFrom(null, null, "float32" as const),
      submodule: fc.constantFrom(
        "gpt_neox.layers.0",
        "gpt_neox.layers.0.mlp",
        "gpt_neox.layers.1.attention.dense",
        // These read 32 numbers and write 96, or read 128 and write 32.
        "gpt_neox.layers.1.attention.query_key_value",
        "gpt_neox.layers.0.mlp.dense_4h_to_h",
      ),
      n_ctxs: between(4, 60),
      ctx_len: between(8, 100),
      in_batch_size: between(1, 24),
      out_batch_size: size([4, 8], 300),
    })
    .map((sizes) => ({ ...sizes, out_batch_size: Math.min(sizes.out_batch_size, sizes.n_ctxs * sizes.ctx_len) })),
  train: trainingArbitrary(MOST_STEPS),
});

const SEED = 948;

/** Sampled with a fixed seed: the same cases in every run of the tests. */
export const cachedCases: readonly ReferenceCase[] = [
  ...fc
    .sample(cachedArbitrary, { seed: SEED, numRuns: 60 })
    .map(({ rows, train }, index) => ({ name: `cached-${index}`, rows, ...train })),
  {
    name: "two-resamplings-f32",
    rows: { seed: 1, batches: 70, batch: 64, width: 24, target_width: 24, directions: 48, threshold: 0.9 },
    dictionary_size: 96,
    lr: 3e-3,
    sparsity_penalty: 0.1,
    warmup_steps: 10,
    steps: 60,
    entropy: false,
    resample_steps: 21,
    save_steps: 7,
    seed: 5,
    io: "out",
    dtype: "float32",
  },
];

export const bufferCases: readonly ReferenceCase[] = [
  ...fc.sample(bufferArbitrary, { seed: SEED, numRuns: 30 }).map(({ buffer, train }, index) => ({
    name: `buffer-${index}`,
    ...buffer,
    ...train,
    // To the end of the text, but not in hundreds of small batches.
    steps: train.steps ?? (buffer.out_batch_size < 64 ? MOST_STEPS : null),
  })),
  {
    name: "two-resamplings-neox",
    model: TINY,
    model_dtype: null,
    texts: path("test/fixtures/golden/texts.jsonl"),
    submodule: "gpt_neox.layers.1.mlp",
    n_ctxs: 20,
    ctx_len: 32,
    in_batch_size: 8,
    out_batch_size: 64,
    dictionary_size: 96,
    lr: 3e-3,
    sparsity_penalty: 0.3,
    warmup_steps: 5,
    steps: 70,
    entropy: false,
    resample_steps: 20,
    save_steps: 10,
    seed: 3,
    io: "out",
    dtype: "float32",
  },
];

/** The same run as a dictlearn config. */
export const toConfig = (each: ReferenceCase, home: string, output: string): object => ({
  output,
  compat: "ddac948",
  seed: each.seed,
  dtype: each.dtype,
  device: "cpu",
  resume: "off",
  ...("rows" in each
    ? { activations: join(home, `${each.name}.rows.safetensors`) }
    : {
        model: each.model,
        ...(each.model_dtype === null ? {} : { model_dtype: each.model_dtype }),
        data: { path: each.texts },
        buffer: {
          n_ctxs: each.n_ctxs,
          ctx_len: each.ctx_len,
          in_batch_size: each.in_batch_size,
          out_batch_size: each.out_batch_size,
        },
      }),
  train: {
    lr: each.lr,
    sparsity_penalty: each.sparsity_penalty,
    warmup_steps: each.warmup_steps,
    steps: each.steps,
    sparsity: each.entropy ? "entropy" : "l1",
    resample_steps: each.resample_steps,
    save_steps: each.save_steps,
    log_steps: 1,
  },
  dictionaries: [
    {
      ...("rows" in each ? {} : { submodule: each.submodule }),
      io: each.io,
      dictionary_size: each.dictionary_size,
    },
  ],
});
