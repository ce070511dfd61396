/**
 * Paths of decoder blocks in models on the Hugging Face hub, by module names. If a model has several lists of numbered
 * modules (an encoder, a vision tower), the first match counts.
 */
const BLOCK_LISTS = [
  "gpt_neox.layers",
  "model.layers",
  "transformer.h",
  "model.decoder.layers",
  "transformer.blocks",
  "model.language_model.layers",
  "backbone.layers",
];
const EMBEDDINGS = ["gpt_neox.embed_in", "model.embed_tokens", "transformer.wte", "model.decoder.embed_tokens"];
const LAST_NORMS = ["gpt_neox.final_layer_norm", "model.norm", "model.final_layernorm", "transformer.ln_f"];
/** BLOOM's, whose attention and MLP return the residual stream with their own output added. */
const ADDS_RESIDUAL_INSIDE = "transformer.word_embeddings_layernorm";

/** The modules of a model, by role. */
export class ModelParts {
  readonly #paths: ReadonlySet<string>;
  readonly #list: string | undefined;

  constructor(modules: readonly string[]) {
    this.#paths = new Set(modules);
    this.#list = BLOCK_LISTS.find((list) => this.#paths.has(`${list}.0`)) ?? onlyList(modules);
  }

  has(path: string): boolean {
    return this.#paths.has(path);
  }

  get embedding(): string | undefined {
    return EMBEDDINGS.find((path) => this.has(path));
  }
  get lastNorm(): string | undefined {
    return [...LAST_NORMS, "model.decoder.final_layer_norm", "transformer.norm_f"].find((path) => this.has(path));
  }

  /** The block of that number; undefined where the model has none. */
  block(number: number): Block | undefined {
    const path = `${this.#list}.${number}`;
    return this.#list !== undefined && this.has(path) ? new Block(this, path) : undefined;
  }

  /** The blocks before and after the one at a path, which share a tensor with it. */
  besides(path: string): { readonly before: string | undefined; readonly after: string | undefined } {
    const found = /^(.+)\.(\d+)$/.exec(path);
    const at = (number: number) => {
      const other = `${this.#list}.${number}`;
      return this.has(other) ? other : undefined;
    };
    if (found === null || found[1] !== this.#list) return { before: undefined, after: undefined };
    return { before: at(Number(found[2]) - 1), after: at(Number(found[2]) + 1) };
  }

  get addsResidualInside(): boolean {
    return this.has(ADDS_RESIDUAL_INSIDE);
  }
}

/** One decoder block, and its parts; undefined where it has no module for one. */
export class Block {
  readonly path: string;
  readonly #model: ModelParts;

  constructor(model: ModelParts, path: string) {
    this.#model = model;
    this.path = path;
  }

  get attention(): string | undefined {
    return this.#first("attention", "self_attn", "attn", "self_attention");
  }
  get mlp(): string | undefined {
    return this.#first("mlp", "ffn", "feed_forward", "block_sparse_moe");
  }
  /** The matrix that combines the heads' outputs. */
  get attentionOutput(): string | undefined {
    const names = ["dense", "o_proj", "c_proj", "out_proj", "attention.out_proj"];
    return this.attention && this.#below(this.attention, names);
  }
  /** The first matrix of the MLP; in a gated MLP, the gate's. */
  get mlpInput(): string | undefined {
    const names = ["dense_h_to_4h", "c_fc", "fc_in", "fc1", "gate_proj", "up_proj"];
    return this.#below(this.mlp ?? this.path, names);
  }
  get mlpOutput(): string | undefined {
    const names = ["dense_4h_to_h", "c_proj", "fc_out", "fc2", "down_proj"];
    return this.#below(this.mlp ?? this.path, names);
  }
  get attentionNorm(): string | undefined {
    return this.#first("input_layernorm", "ln_1", "norm_1", "self_attn_layer_norm");
  }
  get mlpNorm(): string | undefined {
    const own = this.#first("pre_feedforward_layernorm", "ln_2", "norm_2", "final_layer_norm");
    // If the MLP also has a norm after it, this one comes after the attention.
    return own ?? (this.#first("post_feedforward_layernorm") ? undefined : this.#first("post_attention_layernorm"));
  }
  /** The name in Gemma 2 and 3 of the norm before the MLP. */
  get gemmaNorm(): string | undefined {
    return this.#first("pre_feedforward_layernorm");
  }
  /** Norms between a part's output and the residual stream, as in Gemma 2 and OLMo 2. */
  get normAfterAttention(): string | undefined {
    const after = this.#first("post_feedforward_layernorm") && this.#first("post_attention_layernorm");
    return after ?? this.#first("post_self_attn_layernorm");
  }
  get normAfterMlp(): string | undefined {
    return this.#first("post_feedforward_layernorm", "post_mlp_layernorm");
  }
  /** Whether attention and MLP certainly run in sequence: in GPT-NeoX's blocks, nearly all run in parallel. */
  get isSequential(): boolean {
    return !this.path.startsWith("gpt_neox.");
  }

  #first(...names: readonly string[]): string | undefined {
    return this.#below(this.path, names);
  }
  #below(path: string, names: readonly string[]): string | undefined {
    return names.map((name) => `${path}.${name}`).find((each) => this.#model.has(each));
  }
}

/** The list of numbered modules that is not inside another one, if there is exactly one. */
const onlyList = (modules: readonly string[]): string | undefined => {
  const lists = modules.flatMap((path) => {
    const list = /^([^\d]+)\.0$/.exec(path)?.[1];
    return list === undefined ? [] : [list];
  });
  return lists.length === 1 ? lists[0] : undefined;
};
