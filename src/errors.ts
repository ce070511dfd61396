/**
 * The codes of mistakes in the user's input: a command, a config, a file, a folder, a model. The same input fails
 * again, so the exit code is 2. Everything else is a failure of the machine, the network, the numbers or this program,
 * with exit code 1. Only the code decides, whether TypeScript or the worker found the mistake.
 */
const MISTAKES: ReadonlySet<string> = new Set([
  // The command and the config.
  "config",
  "usage",
  "context_too_long",
  "no_device",
  "no_place",
  "output_exists",
  "unusable_python",
  // The model and its places.
  "unknown_model",
  "model_load",
  "no_tokenizer",
  "untrusted_code",
  "unknown_submodule",
  "no_unembedding",
  "model_forward",
  "no_logits",
  "cannot_generate",
  "no_losses",
  // Text and rows.
  "no_such_file",
  "no_text",
  "no_tokens",
  "missing_field",
  "malformed_line",
  "broken_file",
  "changed_input",
  "unknown_dataset",
  "unknown_split",
  "activations",
  "no_activations",
  "repeated_module",
  "non_finite_rows",
  "no_chat_template",
  "unknown_token",
  // Dictionaries and their folders.
  "no_dictionaries",
  "not_a_dictionary",
  "wrong_dictionary",
  "width_mismatch",
  "not_representable",
  "bad_config",
  "bad_evaluation",
  "cannot_read",
  "not_resumable",
  "unknown_place",
  "other_place",
  "other_statistics",
]);

/**
 * Every failure that dictlearn reports on purpose. `message` is one sentence on what is wrong and where; `hint` is one
 * sentence on what to do. Any other exception is a bug.
 */
export class DictlearnError extends Error {
  override readonly name: string = "DictlearnError";
  /** A short, stable identifier that programs can match on. */
  readonly code: string;
  /** The remedy for the user, in one sentence. */
  readonly hint: string | undefined;
  /** 2 for a mistake in the user's input, 1 for everything else; follows from `code`. */
  get exitCode(): 1 | 2 {
    return MISTAKES.has(this.code) ? 2 : 1;
  }

  constructor(message: string, options: DictlearnErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = options.code ?? "failed";
    this.hint = options.hint;
  }
}

export interface DictlearnErrorOptions {
  readonly code?: string;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** The config or the command line asks for something that does not exist or is not allowed. */
export class ConfigError extends DictlearnError {
  override readonly name = "ConfigError";
  constructor(message: string, options: DictlearnErrorOptions = {}) {
    super(message, { code: "config", ...options });
  }
}

/** The worker's Python, or something in its environment, is missing or broken. */
export class EnvironmentError extends DictlearnError {
  override readonly name = "EnvironmentError";
  constructor(message: string, options: DictlearnErrorOptions = {}) {
    super(message, { code: "environment", ...options });
  }
}

/** The caller's AbortSignal fired. */
export class CancelledError extends DictlearnError {
  override readonly name = "CancelledError";
  constructor(message = "The operation was cancelled.", options: DictlearnErrorOptions = {}) {
    super(message, { code: "cancelled", ...options });
  }
}
