/**
 * Every failure that dictlearn reports on purpose. `message` is one sentence that says what was wrong and where;
 * `hint` is one sentence that says what to do about it. Anything else that is thrown is a defect.
 */
export class DictlearnError extends Error {
  override readonly name: string = "DictlearnError";
  /** A short, stable identifier that programs can match on. */
  readonly code: string;
  /** What the user can do about it, in one sentence. */
  readonly hint: string | undefined;
  /** 2 for a mistake in the command or the config, 1 for everything else. */
  readonly exitCode: 1 | 2;

  constructor(message: string, options: DictlearnErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = options.code ?? "failed";
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
  }
}

export interface DictlearnErrorOptions {
  readonly code?: string;
  readonly hint?: string | undefined;
  readonly exitCode?: 1 | 2;
  readonly cause?: unknown;
}

/** The config or the command line asks for something that does not exist or is not allowed. */
export class ConfigError extends DictlearnError {
  override readonly name = "ConfigError";
  constructor(message: string, options: DictlearnErrorOptions = {}) {
    super(message, { code: "config", exitCode: 2, ...options });
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
