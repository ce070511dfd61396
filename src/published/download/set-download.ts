import { statfsSync, statSync } from "node:fs";
import prettyBytes from "pretty-bytes";
import { DictlearnError } from "../../errors.ts";
import type { Worker } from "../../worker/index.ts";
import type { PublishedDictionary, PublishedSet } from "../published-set.ts";
import { checkArrival } from "./arrival.ts";
import type { Patience } from "./http.ts";
import type { Inspector } from "./inspector.ts";
import type { Mirror } from "./mirror.ts";
import type { PartFile } from "./part-file.ts";
import { checkSize, type WantedFile } from "./wanted.ts";

export interface DownloadOptions {
  /** The folder to download into, as `pythia-70m-deduped/mlp_out_layer3/0_8192/ae.pt` and so on. */
  readonly to: string;
  /** Layers or sites (`3`, `attn_out_layer3`, `embed`); the full set by default. */
  readonly layers?: readonly (string | number)[];
  /** Whether to download the training checkpoints too. */
  readonly checkpoints?: boolean;
  /** A source other than the authors' server: a URL, or a local folder. */
  readonly mirror?: string | undefined;
  /** A worker that checks the weights; without one, one is started when the first have arrived. */
  readonly worker?: Worker;
  readonly python?: string | undefined;
  readonly patience?: Patience;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: DownloadProgress) => void;
}

export interface DownloadProgress {
  /** The current activity. */
  readonly stage: "Looking" | "Downloading" | "Checking" | "Unpacking";
  /** The current file. */
  readonly name: string;
  /** Bytes received, and roughly the total. */
  readonly done: number;
  readonly total: number;
  /** Bytes received in this call: the basis of a rate. */
  readonly fetched: number;
}

export interface DownloadedFile {
  readonly path: string;
  readonly bytes: number;
  /** Whether it existed before. */
  readonly present: boolean;
}

interface Means extends Omit<DownloadOptions, "mirror"> {
  readonly mirror: Mirror;
  readonly inspector: Inspector;
}

const PATIENCE: Patience = { retries: 5, pause: 1000 };

/** The download of one set: the handling of each file, whatever its source. */
export class SetDownload {
  readonly set: PublishedSet;
  readonly dictionaries: readonly PublishedDictionary[];
  readonly means: Means;
  readonly patience: Patience;
  /** Bytes received of each file, and its total. */
  readonly #bytes = new Map<string, { done: number; total: number }>();
  #fetched = 0;

  constructor(set: PublishedSet, dictionaries: readonly PublishedDictionary[], means: Means) {
    this.set = set;
    this.dictionaries = dictionaries;
    this.means = means;
    this.patience = means.patience ?? PATIENCE;
  }

  /** Announces the expected files, so that progress is a share of the total. */
  expect(files: readonly WantedFile[]): void {
    for (const { name, bytes } of files) this.#bytes.set(name, { done: 0, total: bytes });
  }

  /** Checks a received file and gives it its name. Deletes an invalid one, so that the next try starts from scratch. */
  async arrive(file: WantedFile, part: PartFile): Promise<DownloadedFile> {
    try {
      checkSize(file, part.size, file.name);
      await checkArrival(file, part.path, this.means.inspector.worker);
    } catch (error) {
      part.discard();
      throw error;
    }
    const bytes = part.size;
    part.commit();
    return { path: file.target, bytes, present: false };
  }

  /** Checks a file that existed before. */
  async lookAt(file: WantedFile): Promise<DownloadedFile> {
    const { size } = statSync(file.target);
    try {
      checkSize(file, size, file.target);
      await checkArrival(file, file.target, this.means.inspector.worker);
    } catch (error) {
      if (!(error instanceof DictlearnError)) throw error;
      throw new DictlearnError(`${file.target} was there before, and is not right: ${error.message}`, {
        code: error.code,
        hint: "Move it away, and run the same command again.",
        cause: error,
      });
    }
    this.watch("Checking", file.name, size)(size, size);
    return { path: file.target, bytes: size, present: true };
  }

  /** Throws `does_not_fit` when the folder's disk has fewer bytes left. */
  requireSpace(bytes: number): void {
    const { bavail, bsize } = statfsSync(this.means.to);
    if (bytes <= bavail * bsize) return;
    throw new DictlearnError(
      `The set ${this.set.name} needs ${prettyBytes(bytes)}, but ${this.means.to} has ${prettyBytes(bavail * bsize)} left.`,
      { code: "does_not_fit", hint: "Choose --layers, or another folder with --to." },
    );
  }

  /** The progress callback for the bytes of one file. */
  watch(stage: DownloadProgress["stage"], name: string, expected: number) {
    // The first report covers the bytes from an earlier call.
    let before: number | undefined;
    return (done: number, total = expected): void => {
      if (stage === "Downloading") this.#fetched += Math.max(0, done - (before ?? done));
      before = done;
      this.#bytes.set(name, { done, total });
      this.report(stage, name);
    };
  }

  report(stage: DownloadProgress["stage"], name: string): void {
    let [done, total] = [0, 0];
    for (const each of this.#bytes.values()) {
      done += each.done;
      total += each.total;
    }
    this.means.onProgress?.({ stage, name, done, total, fetched: this.#fetched });
  }
}
