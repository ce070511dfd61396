import { existsSync } from "node:fs";
import { CachedRows } from "../buffer/index.ts";
import { findFiles, type ReadDictionary, readDictionary } from "../checkpoint/index.ts";
import { type Balance, type ProbableLoss, probableLoss } from "../checkpoint/probable-loss.ts";
import { ensureEnvironment, setupProgress } from "../environment/index.ts";
import { ConfigError, DictlearnError } from "../errors.ts";
import { resolveDevice } from "../nnsight/index.ts";
import type { Result } from "../protocol/index.ts";
import { Worker } from "../worker/index.ts";
import { inspectionTable } from "./inspection-table.ts";

export interface InspectOptions {
  readonly path: string;
  readonly rows?: string | undefined;
  readonly penalty?: string | undefined;
  readonly device: string;
  readonly json: boolean;
  readonly python?: string | undefined;
}

/** All findings; `--json` prints them with the config's key names. */
export interface Inspection {
  readonly read: ReadDictionary;
  readonly weights: Result<"dictionary.examine">;
  readonly rows?: { readonly path: string; readonly balance: Balance; readonly loss: ProbableLoss } | undefined;
}

/** Rows encoded at once. */
const BATCH_ROWS = 4096;

/** Prints what a dictionary's files, and rows if given, tell about it. */
export const inspect = async (options: InspectOptions): Promise<void> => {
  const penalty = parsePenalty(options.penalty);
  findFiles(options.path);
  if (options.rows !== undefined && !existsSync(options.rows)) {
    throw new ConfigError(`There is no file of rows ${options.rows}.`);
  }
  const environment = await ensureEnvironment({ python: options.python, onProgress: setupProgress() });
  await using worker = await Worker.start(environment);
  const device = resolveDevice(worker, options.device);
  const read = await readDictionary(worker, options.path, { device, widenHalf: true });
  const weights = await worker.call("dictionary.examine", { dictionary: read.dictionary });
  const rows = options.rows === undefined ? undefined : await balanceOn(worker, read, { ...options, device, penalty });
  const inspection = { read, weights, rows };
  console.log(options.json ? JSON.stringify(asJson(inspection)) : inspectionTable(inspection));
};

const parsePenalty = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  const penalty = Number(text);
  if (text.trim() !== "" && penalty > 0 && Number.isFinite(penalty)) return penalty;
  throw new ConfigError(`--penalty is "${text}", but must be a number above 0.`);
};

const balanceOn = async (
  worker: Worker,
  { dictionary, shape, provenance }: ReadDictionary,
  { rows: path = "", device, penalty }: { rows?: string | undefined; device: string; penalty: number | undefined },
): Promise<NonNullable<Inspection["rows"]>> => {
  const { inputWidth, outputWidth, dtype } = shape;
  await using cached = await CachedRows.open(worker, { path, outBatchSize: BATCH_ROWS, dtype, device });
  const [widths] = cached.widths;
  if (widths?.input !== inputWidth || widths.output !== outputWidth) {
    throw new DictlearnError(
      `The rows of ${path} go from ${widths?.input} to ${widths?.output} coordinates, but the dictionary from ${inputWidth} to ${outputWidth}.`,
      { code: "width_mismatch", hint: "Give rows of the place that the dictionary was trained on." },
    );
  }
  const rows = [...(await cached.next(cached.length))];
  const balance = await worker.call("dictionary.balance", { dictionary, source: cached.ref, rows });
  return { path, balance, loss: probableLoss(balance, outputWidth, penalty ?? provenance.sparsityPenalty) };
};

const asJson = ({ read, weights, rows }: Inspection): object => {
  const { files, shape, provenance } = read;
  const { inputWidth, outputWidth, size, inputBias } = shape;
  return {
    format: files.format.name,
    weights: files.weights,
    config_path: files.config === undefined ? null : files.configPath,
    input_width: inputWidth,
    output_width: outputWidth,
    size,
    dtype: read.storedDtype,
    input_bias: inputBias,
    ...weights,
    stated: provenance,
    config: files.config?.value ?? null,
    ...(rows === undefined
      ? {}
      : {
          rows: {
            path: rows.path,
            ...rows.balance,
            implied_penalties: rows.loss.penalties,
            stated_penalty: rows.loss.statedPenalty ?? null,
            probable_loss: rows.loss.probable ?? null,
          },
        }),
  };
};
