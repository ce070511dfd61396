import { resolveDevice, type Widths } from "../nnsight/index.ts";
import { checkArguments, checkOptions, kinds, optionsOf } from "../options/index.ts";
import type { Result } from "../protocol/index.ts";
import { Handle, type Worker } from "../worker/index.ts";
import type { SourcePosition } from "./position.ts";
import { checkMost, type Recipe, type ResumableSource, type Shortage, type SourceFile } from "./row-source.ts";

export interface CachedRowsOptions {
  /** A safetensors file with `inputs` (and `targets`), [batches, batch, width] or [rows, width]. */
  readonly path: string;
  /** Rows of a batch when the file holds [rows, width]. */
  readonly outBatchSize: number;
  readonly dtype: "float32" | "float64" | "bfloat16";
  readonly device: string;
}

const OPTIONS = optionsOf<CachedRowsOptions>(
  { path: kinds.name(), outBatchSize: kinds.whole(1), dtype: kinds.dtype(), device: kinds.device() },
  ["path", "outBatchSize", "dtype", "device"],
);
const WORKER = kinds.worker();

/** Activations computed earlier, served batch by batch, in order. */
export class CachedRows implements ResumableSource, AsyncDisposable {
  readonly worker: Worker;
  readonly widths: readonly Widths[];
  /** Whether the file has its own targets. */
  readonly paired: boolean;
  readonly contexts = null;
  readonly model = null;
  readonly generator = null;
  readonly recipe: Recipe;
  readonly inputs: readonly SourceFile[];
  readonly #handle: Handle;
  readonly #batches: readonly number[];
  #position = 0;

  private constructor(handle: Handle, opened: Result<"rows.open">, { path, outBatchSize, dtype }: CachedRowsOptions) {
    this.worker = handle.worker;
    this.#handle = handle;
    this.#batches = opened.batches;
    this.widths = [{ input: opened.widths.input_width, output: opened.widths.output_width }];
    this.paired = opened.paired;
    this.recipe = { activations: path, out_batch_size: outBatchSize, dtype };
    this.inputs = opened.files.map((file) => ({ ...file, of: "activations" }));
  }

  /** Opens and checks the file; every value must be finite. */
  static async open(worker: Worker, options: CachedRowsOptions): Promise<CachedRows> {
    checkArguments("CachedRows.open", { worker: [worker, WORKER] });
    checkOptions(OPTIONS, options, "CachedRows.open");
    const opened = await worker.call("rows.open", {
      path: options.path,
      out_batch_size: options.outBatchSize,
      dtype: options.dtype,
      device: resolveDevice(worker, options.device),
    });
    return new CachedRows(new Handle(worker, opened.source, "file of rows"), opened, options);
  }

  get ref() {
    return this.#handle.ref;
  }

  get batchRows(): number {
    return this.#batches[0] ?? 0;
  }

  /** Number of batches in the file. */
  get length(): number {
    return this.#batches.length;
  }

  get shortage(): Shortage {
    return this.#batches.length === 0 ? "no-text" : "used-up";
  }

  async fill(): Promise<boolean> {
    return this.#batches.length > 0;
  }

  async next(most: number): Promise<readonly number[]> {
    checkMost(most);
    const batches = this.#batches.slice(this.#position, this.#position + most);
    this.#position += batches.length;
    return batches;
  }

  async batchesLeft(): Promise<number> {
    return this.#batches.length - this.#position;
  }

  position(): SourcePosition {
    return { kind: "cached", batch: this.#position };
  }

  resumeAt(position: SourcePosition): void {
    if (position.kind !== "cached") throw new Error("The position is one of a buffer.");
    this.#position = position.batch;
  }

  /** Frees the rows. `await using` calls it at the end of its block. */
  async close(): Promise<void> {
    await this.#handle.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
