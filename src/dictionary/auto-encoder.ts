import { readDictionary } from "../checkpoint/formats/index.ts";
import { ensureEnvironment } from "../environment/index.ts";
import { resolveDevice } from "../nnsight/index.ts";
import { checkArguments, checkOptions, kinds, optionsOf } from "../options/index.ts";
import type { DictionaryOrigin } from "../places/index.ts";
import type { HandleRef } from "../protocol/index.ts";
import { Handle, Worker } from "../worker/index.ts";
import { fromFrame, type Matrix, type MatrixInput, toFrame } from "./matrix.ts";

export type Dtype = "float32" | "float64" | "bfloat16";

export interface AutoEncoderShape {
  /** Width of the encoded rows. */
  readonly inputWidth: number;
  /** Width of the reconstructed rows; the same, except for `in_to_out`. */
  readonly outputWidth: number;
  /** Number of features. */
  readonly size: number;
  readonly dtype: Dtype;
}

export interface AutoEncoderOptions {
  readonly device?: string;
  readonly dtype?: Dtype;
  /** A worker to keep the dictionary in; without one, a worker is started and closed with the dictionary. */
  readonly worker?: Worker;
  readonly python?: string;
}

const OPTIONS = optionsOf<AutoEncoderOptions>({
  device: kinds.device(),
  dtype: kinds.dtype(),
  worker: kinds.worker(),
  python: kinds.name(),
});

const SHAPE = optionsOf<AutoEncoderShape>(
  { inputWidth: kinds.whole(1), outputWidth: kinds.whole(1), size: kinds.whole(1), dtype: kinds.dtype() },
  ["inputWidth", "outputWidth", "size", "dtype"],
);

interface NewDictionary {
  readonly device: string;
  readonly generator: HandleRef;
  readonly origin?: DictionaryOrigin | null | undefined;
}

/**
 * The standard dictionary: f = ReLU(W_enc (x − b) + b_enc), x̂ = W_dec f + b, the columns of W_dec of norm 1. Its
 * tensors stay in the worker; `encode`, `decode` and `forward` transfer numbers on request. Source: Bricken et al.
 * 2023; parameters named as in dictionary_learning ddac948.
 */
export class AutoEncoder implements AsyncDisposable {
  readonly worker: Worker;
  readonly shape: AutoEncoderShape;
  /** `cpu`, `cuda:0`. */
  readonly device: string;
  /** Where it was trained, as far as its files or its buffer say; null where they do not say. */
  readonly origin: DictionaryOrigin | null;
  readonly #handle: Handle;
  readonly #ownsWorker: boolean;

  private constructor(
    handle: Handle,
    how: { shape: AutoEncoderShape; device: string; ownsWorker: boolean; origin: DictionaryOrigin | null },
  ) {
    this.worker = handle.worker;
    this.shape = how.shape;
    this.device = how.device;
    this.origin = how.origin;
    this.#handle = handle;
    this.#ownsWorker = how.ownsWorker;
  }

  /** A fresh dictionary, to be trained at `origin`; the draws come from `generator`. */
  static async create(
    worker: Worker,
    shape: AutoEncoderShape,
    { device, generator, origin = null }: NewDictionary,
  ): Promise<AutoEncoder> {
    checkOptions(SHAPE, shape, "AutoEncoder.create's shape");
    const { dictionary } = await worker.call("dictionary.create", {
      input_width: shape.inputWidth,
      output_width: shape.outputWidth,
      size: shape.size,
      dtype: shape.dtype,
      device,
      generator,
    });
    return new AutoEncoder(new Handle(worker, dictionary, "dictionary"), { shape, device, ownsWorker: false, origin });
  }

  /**
   * Loads a dictionary from a folder or a file of weights in any format of `docs/formats.md`, for example an `ae.pt`.
   *
   * @throws {DictlearnError} `no_such_file`, `not_a_dictionary` or `not_representable`, in one sentence.
   */
  static async load(path: string, options: AutoEncoderOptions = {}): Promise<AutoEncoder> {
    checkArguments("AutoEncoder.load", { path: [path, kinds.name("the path of a folder or a file, as a text")] });
    checkOptions(OPTIONS, options, "AutoEncoder.load");
    const worker = options.worker ?? (await Worker.start(await ensureEnvironment({ python: options.python })));
    try {
      const device = resolveDevice(worker, options.device ?? "auto");
      const { dictionary, shape, origin } = await readDictionary(worker, path, { device, dtype: options.dtype });
      const { inputBias: _, ...own } = shape;
      const ownsWorker = options.worker === undefined;
      return new AutoEncoder(new Handle(worker, dictionary, "dictionary"), { shape: own, device, ownsWorker, origin });
    } catch (error) {
      if (options.worker === undefined) await worker.close();
      throw error;
    }
  }

  get ref(): HandleRef {
    return this.#handle.ref;
  }

  /** Features of rows: [rows, inputWidth] → [rows, size]. */
  async encode(rows: MatrixInput): Promise<Matrix> {
    const { ref, frame } = toFrame(rows, { caller: "encode", what: "rows", width: this.shape.inputWidth });
    const params = { dictionary: this.ref, rows: ref };
    const { result, frames } = await this.worker.callWithFrames("dictionary.encode", params, { frames: [frame] });
    return fromFrame(result.features, frames);
  }

  /** Rows of features: [rows, size] → [rows, outputWidth]. */
  async decode(features: MatrixInput): Promise<Matrix> {
    const { ref, frame } = toFrame(features, { caller: "decode", what: "features", width: this.shape.size });
    const params = { dictionary: this.ref, features: ref };
    const { result, frames } = await this.worker.callWithFrames("dictionary.decode", params, { frames: [frame] });
    return fromFrame(result.rows, frames);
  }

  /** Reconstructions of rows, and their features. */
  async forward(rows: MatrixInput): Promise<{ reconstruction: Matrix; features: Matrix }> {
    const { ref, frame } = toFrame(rows, { caller: "forward", what: "rows", width: this.shape.inputWidth });
    const params = { dictionary: this.ref, rows: ref };
    const { result, frames } = await this.worker.callWithFrames("dictionary.forward", params, { frames: [frame] });
    return { reconstruction: fromFrame(result.rows, frames), features: fromFrame(result.features, frames) };
  }

  /** Writes the weights as a PyTorch state_dict, atomically. Refuses non-finite weights. */
  async save(path: string): Promise<void> {
    checkArguments("AutoEncoder.save", { path: [path, kinds.name("the path of a file, as a text")] });
    await this.worker.call("dictionary.save", { dictionary: this.ref, path, bias_scale: 1 });
  }

  /**
   * Frees the dictionary, and ends the Python process that was started for it. `await using` calls it at the end of its
   * block.
   */
  async close(): Promise<void> {
    if (this.#ownsWorker) await this.worker.close();
    else await this.#handle.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
