import { type BufferShape, type BufferWork, bufferWork } from "../buffer/index.ts";
import { learningRate, type ScheduleSettings } from "../train/schedules.ts";

/** Seconds: the likely number, with its lower and upper bound. */
export interface SecondsRange {
  readonly likely: number;
  /** As if few features had been active from the first step on. */
  readonly low: number;
  /** As if the dictionaries never became sparse. */
  readonly high: number;
}

/** The measurements of one dictionary. */
interface DictionaryPieces {
  /** Seconds of one step with its draw, with as many active features as in a fresh dictionary. */
  readonly dense: number;
  /** The same with few active features. */
  readonly sparse: number;
  /** Seconds of one computation of the metrics. */
  readonly metrics: number;
}

/** The measurements of a run, in seconds. */
export interface Pieces {
  /** Startup until there are rows to train on: the program, the worker, the model, the text. */
  readonly start: number;
  /** One row through the model and into the buffer, and one shuffle of a full buffer; null: the rows are cached. */
  readonly harvest: { readonly row: number; readonly shuffle: number } | null;
  /** One draw of a batch when nothing else runs. */
  readonly draw: number;
  /** In the config's order. */
  readonly dictionaries: readonly DictionaryPieces[];
  /** One context in the evaluation's two passes, and one that only its first pass reads; null: there is no evaluation. */
  readonly evaluation: { readonly context: number; readonly read: number } | null;
}

/** How often a run repeats each measured operation. */
export interface RunCounts {
  /** Batches drawn. */
  readonly batches: number;
  /** null: the rows are cached. */
  readonly buffer: BufferWork | null;
  /** In the config's order. `dense_steps`: the likely number. */
  readonly dictionaries: readonly { readonly steps: number; readonly dense_steps: number; readonly logged: number }[];
  /** Contexts of one dictionary's evaluation: those measured, and further ones only read. */
  readonly evaluation: { readonly measured: number; readonly read: number } | null;
}

export type PartName = "start" | "harvest" | "draws" | "steps" | "metrics" | "evaluation";

/** One part of a run's time. */
export interface PredictedPart {
  readonly name: PartName;
  readonly seconds: SecondsRange;
}

/** The time of a run, part by part. */
export interface PredictedTime {
  readonly seconds: SecondsRange;
  readonly parts: readonly PredictedPart[];
  /** The part that takes longest. */
  readonly dominant: PartName;
}

/**
 * Adds up the measurements, each times the number of its repetitions in the run:
 *
 * start + rows · row + refreshes · shuffle + batches · draw + Σ over dictionaries of (steps · (step − draw) + logged ·
 * metrics + evaluation), where steps are dense at first, then sparse. One draw serves all dictionaries.
 */
export const predictTime = (pieces: Pieces, counts: RunCounts): PredictedTime => {
  const steps = { likely: 0, low: 0, high: 0 };
  let metrics = 0;
  for (const [index, { steps: all, dense_steps, logged }] of counts.dictionaries.entries()) {
    const piece = pieces.dictionaries[index];
    if (piece === undefined) throw new Error(`Dictionary ${index} was not measured.`);
    const dense = Math.max(0, piece.dense - pieces.draw);
    const sparse = Math.max(0, piece.sparse - pieces.draw);
    steps.likely += dense_steps * dense + (all - dense_steps) * sparse;
    steps.low += all * Math.min(dense, sparse);
    steps.high += all * Math.max(dense, sparse);
    metrics += logged * piece.metrics;
  }
  const { harvest, evaluation } = pieces;
  const parts: PredictedPart[] = [
    { name: "start", seconds: fixed(pieces.start) },
    ...(harvest === null || counts.buffer === null
      ? []
      : [part("harvest", counts.buffer.rows * harvest.row + counts.buffer.refreshes * harvest.shuffle)]),
    part("draws", counts.batches * pieces.draw),
    { name: "steps", seconds: steps },
    part("metrics", metrics),
    ...(evaluation === null || counts.evaluation === null
      ? []
      : [
          part(
            "evaluation",
            counts.dictionaries.length *
              (counts.evaluation.measured * evaluation.context + counts.evaluation.read * evaluation.read),
          ),
        ]),
  ];
  const sum = (key: keyof SecondsRange) => parts.reduce((total, { seconds }) => total + seconds[key], 0);
  const dominant = parts.reduce((most, each) => (each.seconds.likely > most.seconds.likely ? each : most));
  return {
    seconds: { likely: sum("likely"), low: sum("low"), high: sum("high") },
    parts,
    dominant: dominant.name,
  };
};

const fixed = (seconds: number): SecondsRange => ({ likely: seconds, low: seconds, high: seconds });

const part = (name: PartName, seconds: number): PredictedPart => ({ name, seconds: fixed(seconds) });

/** The inputs that decide how often a run repeats each operation. */
export interface CountsInput {
  /** Batches that the run draws if its text does not end earlier. */
  readonly batches: number;
  /** null: the rows are cached. */
  readonly shape: BufferShape | null;
  /** Rows in the text; null: enough. */
  readonly available: number | null;
  readonly dictionaries: readonly {
    readonly steps: number | null;
    readonly log_steps: number | null;
    readonly schedule: ScheduleSettings;
    /** Sum of the learning rates of all steps until the dictionary becomes sparse; null: it did not in the trial. */
    readonly dense_until: number | null;
  }[];
  /** The keys of the config's `evaluation`. */
  readonly evaluation: {
    readonly contexts: number;
    readonly alive_tokens: number;
    readonly frequency_tokens: number;
    readonly ctx_len: number;
  } | null;
}

/** How often a run repeats each operation, if every context is full. */
export const countRun = ({ available, shape, dictionaries, evaluation, ...most }: CountsInput): RunCounts => {
  const work = shape === null ? null : bufferWork(most.batches, shape, available ?? undefined);
  const batches = work?.batches ?? most.batches;
  return {
    batches,
    buffer: work,
    dictionaries: dictionaries.map(({ steps, log_steps, schedule, dense_until }) => {
      const own = Math.min(batches, steps ?? batches);
      return {
        steps: own,
        dense_steps: denseSteps(own, schedule, dense_until),
        logged: log_steps === null ? 0 : Math.ceil(own / log_steps),
      };
    }),
    evaluation: evaluation === null ? null : evaluationCounts(evaluation),
  };
};

/** Both passes read the measured contexts; the first continues until it has enough tokens. */
const evaluationCounts = ({
  contexts,
  alive_tokens,
  frequency_tokens,
  ctx_len,
}: NonNullable<CountsInput["evaluation"]>): NonNullable<RunCounts["evaluation"]> => ({
  measured: contexts,
  read: Math.max(0, Math.ceil(Math.max(alive_tokens, frequency_tokens) / ctx_len) - contexts),
});

/** Steps until the rates add up to `until`; all of them where it is null or never reached. Ignores resampling. */
export const denseSteps = (steps: number, schedule: ScheduleSettings, until: number | null): number => {
  if (until === null) return steps;
  let sum = 0;
  for (let step = 0; step < steps; step += 1) {
    if (sum >= until) return step;
    sum += learningRate(step, schedule, undefined);
  }
  return steps;
};
