import prettyBytes from "pretty-bytes";
import { DictlearnError } from "../errors.ts";
import type { ResolvedRun } from "./resolve.ts";

/** Widths of one site's rows. */
interface SiteWidth {
  readonly input: number;
  readonly output: number;
}

export interface EstimateFacts {
  /** Distinct sites of the buffer. */
  readonly sites: readonly (SiteWidth & { readonly paired: boolean })[];
  /** The widths that each dictionary of the run has, in order. */
  readonly dictionaries: readonly SiteWidth[];
  /** Batches of cached rows, when there is no buffer. */
  readonly cachedBatches?: number;
  readonly batchRows: number;
}

/** The needs of a run. Bytes, unless stated otherwise; null where the run ends with its text. */
export interface Estimate {
  readonly steps: number | null;
  /** Rows that are trained on. */
  readonly tokens: number | null;
  readonly buffer: number;
  readonly dictionaries: number;
  readonly gradients: number;
  readonly optimisers: number;
  /** Features and their gradient for one batch of the largest dictionary. */
  readonly features: number;
  /** One resume state on disk; it is written in place and takes no extra memory. */
  readonly state: number;
  readonly memory: number;
  readonly checkpoints: number | null;
  readonly disk: number;
}

/** A bfloat16 dictionary's moments, and its master copy, are float32. */
const OPTIMISER_BYTES = { float32: 2 * 4, float64: 2 * 8, bfloat16: 3 * 4 } as const;
/** Upper bound for each row of the buffer: four numbers per slot, and the tokens of nine buffers, see docs/log.md. */
const ORIGIN_BYTES = 16 + 9 * 6;
/** Two resume states, and one that is being written. */
const STATES = 3;
const BYTES = { float32: 4, float64: 8, bfloat16: 2 } as const;

/** Computes a run's needs from its config and the widths of its rows. */
export const estimateRun = ({ config, dictionaries }: ResolvedRun, facts: EstimateFacts): Estimate => {
  const bytes = BYTES[config.dtype];
  const capacity = (config.buffer.n_ctxs + 1) * config.buffer.ctx_len;
  const rowWidth = facts.sites.reduce((sum, { input, output, paired }) => sum + input + (paired ? output : 0), 0);
  const buffer = facts.cachedBatches === undefined ? capacity * rowWidth * bytes : 0;

  let parameters = 0;
  let largest = 0;
  let disk = 0;
  let checkpoints: number | null = 0;
  let steps: number | null = 0;
  for (const [index, { dictionary_size: size, train }] of dictionaries.entries()) {
    const { input, output } = facts.dictionaries[index] ?? { input: 0, output: 0 };
    const own = size * (input + output + 1) + output + (input === output ? 0 : input);
    const ownSteps = limit(train.steps, facts.cachedBatches);
    const saved = train.save_steps === null ? 0 : ownSteps === null ? null : Math.ceil(ownSteps / train.save_steps);
    parameters += own;
    largest = Math.max(largest, size);
    disk += own * bytes * (1 + (saved ?? 1));
    checkpoints = saved === null || checkpoints === null ? null : checkpoints + saved;
    steps = ownSteps === null || steps === null ? null : Math.max(steps, ownSteps);
  }
  const weights = parameters * bytes;
  const features = 2 * facts.batchRows * largest * bytes;
  const optimisers = parameters * OPTIMISER_BYTES[config.dtype];
  const origins = config.resume === "exact" && buffer > 0 ? capacity * ORIGIN_BYTES : 0;
  const state = config.resume === "off" ? 0 : weights + optimisers + origins;
  return {
    steps,
    tokens: steps === null ? null : steps * facts.batchRows,
    buffer,
    dictionaries: weights,
    gradients: weights,
    optimisers,
    features,
    state,
    memory: buffer + origins + 2 * weights + optimisers + features,
    checkpoints,
    disk: disk + STATES * state,
  };
};

const limit = (steps: number | null, batches: number | undefined): number | null => {
  if (batches === undefined) return steps;
  return steps === null ? batches : Math.min(steps, batches);
};

export interface ResourceFacts {
  readonly freeMemory: number;
  readonly freeDisk: number;
  readonly output: string;
}

/** Throws when the run cannot fit, naming the key to lower. */
export const checkFits = (estimate: Estimate, { freeMemory, freeDisk, output }: ResourceFacts): void => {
  if (estimate.memory > freeMemory) {
    const most = estimate.buffer > estimate.memory / 2 ? "buffer.n_ctxs" : "dictionary_size or buffer.out_batch_size";
    throw new DictlearnError(
      `The run needs ${prettyBytes(estimate.memory)} of memory, of which the buffer takes ${prettyBytes(estimate.buffer)}, but only ${prettyBytes(freeMemory)} are free.`,
      { code: "does_not_fit", hint: `Lower ${most}.` },
    );
  }
  if (estimate.disk > freeDisk) {
    throw new DictlearnError(
      `The run writes ${prettyBytes(estimate.disk)}, but the disk of ${output} has only ${prettyBytes(freeDisk)} free.`,
      { code: "does_not_fit", hint: "Free some space, choose another --output, or raise train.save_steps." },
    );
  }
};
