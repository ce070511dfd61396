import { existsSync, mkdirSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import pLimit from "p-limit";
import prettyBytes from "pretty-bytes";
import { lockFolder } from "../../checkpoint/folder-lock.ts";
import { cannotWrite } from "../../checkpoint/index.ts";
import { ensureEnvironment } from "../../environment/index.ts";
import { DictlearnError } from "../../errors.ts";
import { Worker } from "../../worker/index.ts";
import type { PublishedDictionary, PublishedSet } from "../published-set.ts";
import { publishedDictionaries, publishedSet } from "../registry.ts";
import { checkArrival } from "./arrival.ts";
import type { Patience } from "./http.ts";
import { type Mirror, mirrorOf } from "./mirror.ts";
import { PartFile } from "./part-file.ts";
import { checkSize, requireWeights, type WantedFile, wantedFile } from "./wanted.ts";
import { eachEntry, sha256 } from "./zip.ts";

export interface DownloadOptions {
  /** The folder to put them into, as `pythia-70m-deduped/mlp_out_layer3/0_8192/ae.pt` and so on. */
  readonly to: string;
  /** Layers or sites (`3`, `attn_out_layer3`, `embed`); all of the set unless given. */
  readonly layers?: readonly (string | number)[];
  /** Whether the checkpoints of the training come too. */
  readonly checkpoints?: boolean;
  /** Another place than the authors': a URL, or a local folder. */
  readonly mirror?: string | undefined;
  /** A worker that looks at the weights; without one, one is started when the first have arrived. */
  readonly worker?: Worker;
  readonly python?: string | undefined;
  readonly patience?: Patience;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: DownloadProgress) => void;
}

export interface DownloadProgress {
  /** What is being done. */
  readonly stage: "Looking" | "Downloading" | "Checking" | "Unpacking";
  /** The file at hand. */
  readonly name: string;
  /** Bytes that are there, and about how many there will be. */
  readonly done: number;
  readonly total: number;
}

export interface DownloadedFile {
  readonly path: string;
  readonly bytes: number;
  /** Whether it was there before. */
  readonly present: boolean;
}

/** Few enough for a university's server. */
const CONNECTIONS = 3;
const PATIENCE: Patience = { retries: 5, pause: 1000 };

/**
 * Brings released dictionaries over, each file whole or not at all: it is looked at (size, checksum where one is known, names
 * and shapes of the tensors) before it gets its name. What is there already is looked at and left; what was cut off goes on.
 *
 * @throws {DictlearnError} `not_found`, `download`, `wrong_size`, `wrong_checksum`, `bad_zip`, `not_a_dictionary`, …
 */
export const downloadPublished = async (
  set: string | PublishedSet,
  options: DownloadOptions,
): Promise<readonly DownloadedFile[]> => {
  const wanted = typeof set === "string" ? publishedSet(set) : set;
  const dictionaries = publishedDictionaries(wanted, options.layers);
  const mirror = mirrorOf(wanted, options.mirror);
  const { to } = options;
  try {
    mkdirSync(to, { recursive: true });
  } catch (error) {
    throw cannotWrite(to, error);
  }
  await using _lock = await lockFolder(to);
  await using inspector = new Inspector(options);
  const download = new Download(wanted, dictionaries, { ...options, mirror, inspector });
  return wanted.source.kind === "zip" && mirror.local(dictionaries[0]?.folder ?? "") === undefined
    ? await download.fromZip(wanted.source)
    : await download.fromFolders();
};

/** The worker that looks at weights, started when it is first needed. */
class Inspector implements AsyncDisposable {
  readonly #options: Pick<DownloadOptions, "worker" | "python">;
  #started: Promise<Worker> | undefined;

  constructor(options: Pick<DownloadOptions, "worker" | "python">) {
    this.#options = options;
  }

  readonly worker = async (): Promise<Worker> => {
    const { worker, python } = this.#options;
    if (worker !== undefined) return worker;
    this.#started ??= ensureEnvironment({ python }).then(async (environment) => await Worker.start(environment));
    return await this.#started;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#started?.catch(() => undefined))?.close();
  }
}

interface Means extends Omit<DownloadOptions, "mirror"> {
  readonly mirror: Mirror;
  readonly inspector: Inspector;
}

/** One set on its way. */
class Download {
  readonly #set: PublishedSet;
  readonly #dictionaries: readonly PublishedDictionary[];
  readonly #means: Means;
  readonly #patience: Patience;
  /** Bytes of each file that are there, and that there will be. */
  readonly #bytes = new Map<string, { done: number; total: number }>();

  constructor(set: PublishedSet, dictionaries: readonly PublishedDictionary[], means: Means) {
    this.#set = set;
    this.#dictionaries = dictionaries;
    this.#means = means;
    this.#patience = means.patience ?? PATIENCE;
  }

  /** From a place where each file is on its own. */
  async fromFolders(): Promise<readonly DownloadedFile[]> {
    const { mirror, to, signal, checkpoints = false } = this.#means;
    const files: WantedFile[] = [];
    for (const dictionary of this.#dictionaries) {
      this.#report("Looking", dictionary.folder);
      const names = await mirror.list(dictionary, { checkpoints, patience: this.#patience, signal });
      files.push(...names.flatMap((name) => wantedFile(dictionary, name, to) ?? []));
    }
    requireWeights(this.#set, this.#dictionaries, { files, where: mirror.name });
    const absent = files.filter(({ target }) => !existsSync(target));
    this.#requireSpace(absent.reduce((sum, { bytes }) => sum + bytes, 0));
    for (const { name, bytes } of files) this.#bytes.set(name, { done: 0, total: bytes });

    // The first failure stops the others; what they have so far stays for the next time.
    const stop = new AbortController();
    const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const limit = pLimit(CONNECTIONS);
    const results = await Promise.allSettled(
      files.map((file) =>
        limit(async () => {
          both.throwIfAborted();
          try {
            return await this.#bring(file, both);
          } catch (error) {
            stop.abort(error);
            throw error;
          }
        }),
      ),
    );
    if (stop.signal.aborted) throw stop.signal.reason;
    signal?.throwIfAborted();
    return results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  }

  /** From one zip, which is brought over first, and unpacked. */
  async fromZip(source: Extract<PublishedSet["source"], { kind: "zip" }>): Promise<readonly DownloadedFile[]> {
    const { to, mirror, signal } = this.#means;
    const present = await this.#presentOfZip();
    if (present !== undefined) return present;
    const part = new PartFile(join(to, source.file));
    const local = mirror.local(source.file);
    const unpacked = this.#dictionaries.length * this.#set.ae_bytes;
    this.#requireSpace(unpacked + (local === undefined ? source.bytes - part.size : 0));
    const where = local ?? `${mirror.name.replace(/[^/]*\.zip$/i, "")}${source.file}`;
    if (local === undefined) {
      const checkBytes = (bytes: number) => requireEqual(bytes, source.bytes, where);
      await mirror.bring(source.file, part, {
        patience: this.#patience,
        signal,
        checkSize: checkBytes,
        onBytes: this.#watch("Downloading", source.file, source.bytes),
      });
    }
    const zip = local ?? part.path;
    this.#report("Checking", source.file);
    if ((await sha256(zip)) !== source.sha256) {
      if (local === undefined) part.discard();
      throw new DictlearnError(`${where} is not the zip of the set ${this.#set.name}: its SHA-256 is another one.`, {
        code: "wrong_checksum",
        hint: "Run the same command again, or name another place with --mirror.",
      });
    }
    const files = await this.#unpack(zip, { root: source.root, where });
    if (local === undefined) part.discard();
    return files;
  }

  /** Unpacks what is wanted, and nothing else. */
  async #unpack(zip: string, { root, where }: { root: string; where: string }): Promise<readonly DownloadedFile[]> {
    const { to, signal, checkpoints = false } = this.#means;
    const found: WantedFile[] = [];
    const done: DownloadedFile[] = [];
    await eachEntry(zip, async (entry) => {
      signal?.throwIfAborted();
      const file = this.#dictionaries
        .map((dictionary) => {
          const folder = `${root}/${dictionary.folder}/`;
          return entry.name.startsWith(folder)
            ? wantedFile(dictionary, entry.name.slice(folder.length), to)
            : undefined;
        })
        .find((each) => each !== undefined);
      if (file === undefined || (!checkpoints && file.name.includes("/checkpoints/"))) return;
      checkSize(file, entry.bytes, `${where}: ${entry.name}`);
      found.push(file);
      if (existsSync(file.target)) {
        done.push(await this.#lookAt(file));
        return;
      }
      this.#makeFolder(file);
      const part = new PartFile(file.target);
      part.begin({ url: zip, validator: undefined, size: entry.bytes });
      const onBytes = this.#watch("Unpacking", file.name, entry.bytes);
      try {
        await part.append(await entry.open(), () => onBytes(part.size, entry.bytes));
      } catch (error) {
        part.discard();
        throw error;
      }
      done.push(await this.#arrive(file, part));
    });
    requireWeights(this.#set, this.#dictionaries, { files: found, where });
    return done;
  }

  /** All that is wanted of a zip, if it is there already; checkpoints are only known to the zip. */
  async #presentOfZip(): Promise<readonly DownloadedFile[] | undefined> {
    const { to, checkpoints = false } = this.#means;
    const files = this.#dictionaries.flatMap((dictionary) => wantedFile(dictionary, "ae.pt", to) ?? []);
    if (checkpoints || files.some(({ target }) => !existsSync(target))) return undefined;
    return await Promise.all(files.map(async (file) => await this.#lookAt(file)));
  }

  async #bring(file: WantedFile, signal: AbortSignal): Promise<DownloadedFile> {
    if (existsSync(file.target)) return await this.#lookAt(file);
    this.#makeFolder(file);
    const { mirror } = this.#means;
    const part = new PartFile(file.target);
    await mirror.bring(file.name, part, {
      patience: this.#patience,
      signal,
      checkSize: (bytes) => checkSize(file, bytes, `${file.name} at ${mirror.name}`),
      onBytes: this.#watch("Downloading", file.name, file.bytes),
    });
    return await this.#arrive(file, part);
  }

  /** Looks at what has arrived, and gives it its name. What is wrong is thrown away, so that the next try starts anew. */
  async #arrive(file: WantedFile, part: PartFile): Promise<DownloadedFile> {
    try {
      checkSize(file, part.size, file.name);
      await checkArrival(file, part.path, this.#means.inspector.worker);
    } catch (error) {
      part.discard();
      throw error;
    }
    const bytes = part.size;
    part.commit();
    return { path: file.target, bytes, present: false };
  }

  /** Looks at what was there before. */
  async #lookAt(file: WantedFile): Promise<DownloadedFile> {
    const { size } = statSync(file.target);
    try {
      checkSize(file, size, file.target);
      await checkArrival(file, file.target, this.#means.inspector.worker);
    } catch (error) {
      if (!(error instanceof DictlearnError)) throw error;
      throw new DictlearnError(`${file.target} was there before, and is not right: ${error.message}`, {
        code: error.code,
        hint: "Move it away, and run the same command again.",
        cause: error,
      });
    }
    this.#watch("Checking", file.name, size)(size, size);
    return { path: file.target, bytes: size, present: true };
  }

  #makeFolder({ target }: WantedFile): void {
    try {
      mkdirSync(dirname(target), { recursive: true });
    } catch (error) {
      throw cannotWrite(dirname(target), error);
    }
  }

  #requireSpace(bytes: number): void {
    const { bavail, bsize } = statfsSync(this.#means.to);
    if (bytes <= bavail * bsize) return;
    throw new DictlearnError(
      `The set ${this.#set.name} needs ${prettyBytes(bytes)}, but ${this.#means.to} has ${prettyBytes(bavail * bsize)} left.`,
      { code: "does_not_fit", hint: "Choose --layers, or another folder with --to." },
    );
  }

  #watch(stage: DownloadProgress["stage"], name: string, expected: number) {
    return (done: number, total = expected): void => {
      this.#bytes.set(name, { done, total });
      this.#report(stage, name);
    };
  }

  #report(stage: DownloadProgress["stage"], name: string): void {
    let [done, total] = [0, 0];
    for (const each of this.#bytes.values()) {
      done += each.done;
      total += each.total;
    }
    this.#means.onProgress?.({ stage, name, done, total });
  }
}

const requireEqual = (bytes: number, expected: number, where: string): void => {
  if (bytes === expected) return;
  throw new DictlearnError(`${where} has ${prettyBytes(bytes)} (${bytes} bytes), but should have ${expected} bytes.`, {
    code: "wrong_size",
  });
};
