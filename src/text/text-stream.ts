import { existsSync } from "node:fs";
import { cacheFolder } from "../environment/index.ts";
import { ConfigError } from "../errors.ts";
import type { FoundFile, HandleRef, Part } from "../protocol/index.ts";
import { deriveSeed } from "../seeds.ts";
import { Handle, type Worker } from "../worker/index.ts";
import { checkDocument } from "./documents.ts";

/** Text on disk or on the hub, as the config's `data` names it. */
export interface TextSource {
  /** A file, a folder of files, or the id of a Hugging Face dataset. */
  readonly path: string;
  readonly split?: string;
  /** The field that holds the text. */
  readonly textField?: string;
  /** The dataset's configuration, if it has several. */
  readonly name?: string | null;
  readonly revision?: string | null;
  /** Documents to leave out at the beginning. */
  readonly skip?: number;
  /** Documents in the shuffle buffer, drawn at random; 0 keeps the order. */
  readonly shuffleBuffer?: number;
  /** What counts as one document in a .txt file. */
  readonly txtDocuments?: "line" | "paragraph" | "file";
  /**
   * Seed of the shuffled order: the `seed` of a config, or of `ActivationBuffer.create`, which is used where none is
   * given here; otherwise 0.
   */
  readonly seed?: number;
  /** Which documents to take; all of them without it. */
  readonly part?: TextPart | null | undefined;
}

/** The last of every `every` documents is reserved for evaluation; `training` takes the others. */
export type TextPart = Part;

/** Any iterable of texts except a string, whose letters would be the documents. */
export type Documents = (Iterable<string> & NoText) | AsyncIterable<string>;
interface NoText {
  readonly charAt?: never;
}

/** Python's own documentation, which every machine with Python has: text for a first try. */
export const PYTHON_DOCS = "python-docs";

/** Documents sent to the worker in one message when a script supplies them. */
const DOCUMENTS_PER_PUSH = 64;
/** Maximum characters of such a message, not counting its last document. */
const CHARACTERS_PER_PUSH = 1_048_576;

/** A stream of documents that the worker reads, from files, from a dataset, or from this process. */
export class TextStream implements AsyncDisposable {
  readonly worker: Worker;
  readonly #handle: Handle;
  /** The files that it reads, in order; empty where the documents come from elsewhere. */
  readonly files: readonly FoundFile[];
  /** All splits of the folder that it reads, of which it reads one; empty where there are none. */
  readonly splits: readonly string[];
  readonly #documents: Iterator<string> | AsyncIterator<string> | undefined;
  /** Documents sent so far. */
  #sent = 0;

  private constructor(
    handle: Handle,
    { files, splits }: Pick<TextStream, "files" | "splits">,
    documents?: Iterator<string> | AsyncIterator<string>,
  ) {
    this.worker = handle.worker;
    this.files = files;
    this.splits = splits;
    this.#handle = handle;
    this.#documents = documents;
  }

  /**
   * Opens files where the path exists, and a Hugging Face dataset of that name otherwise. Chats are rendered with the
   * chat template of `model`.
   */
  static async open(worker: Worker, source: TextSource, model?: { readonly ref: HandleRef }): Promise<TextStream> {
    requireOneOrder(source);
    const common = {
      path: source.path,
      text_field: source.textField ?? "text",
      model: model?.ref ?? null,
      skip: source.skip ?? 0,
      shuffle_buffer: source.shuffleBuffer ?? 0,
      seed: deriveSeed(source.seed ?? 0, "text"),
      part: source.part ?? null,
    };
    const local = isLocal(source.path);
    requireEffect(source, local);
    const { text, files, splits } = local
      ? await worker.call("text.files", {
          ...common,
          txt_documents: source.txtDocuments ?? "line",
          split: source.split ?? "train",
          name: source.name ?? null,
          cache: cacheFolder(),
        })
      : {
          files: [],
          splits: [],
          ...(await worker.call("text.hub", {
            ...common,
            name: source.name ?? null,
            split: source.split ?? "train",
            revision: source.revision ?? null,
          })),
        };
    return new TextStream(new Handle(worker, text, "text stream"), { files, splits });
  }

  /** Reads the documents from this process, as they are needed. */
  static async from(worker: Worker, documents: Documents, part: TextPart | null = null): Promise<TextStream> {
    const { text } = await worker.call("text.pushed", { part });
    const iterator =
      Symbol.asyncIterator in documents ? documents[Symbol.asyncIterator]() : documents[Symbol.iterator]();
    return new TextStream(new Handle(worker, text, "text stream"), { files: [], splits: [] }, iterator);
  }

  get ref() {
    return this.#handle.ref;
  }

  /** Sends the next documents, if they come from this process. */
  async feed(): Promise<void> {
    if (this.#documents === undefined) return;
    const documents: string[] = [];
    let characters = 0;
    let end = false;
    while (documents.length < DOCUMENTS_PER_PUSH && characters < CHARACTERS_PER_PUSH && !end) {
      const next = await this.#documents.next();
      if (next.done) {
        end = true;
      } else {
        checkDocument(next.value, this.#sent + documents.length + 1);
        documents.push(next.value);
        characters += next.value.length;
      }
    }
    this.#sent += documents.length;
    await this.worker.call("text.push", { text: this.ref, documents, end });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.release();
  }
}

/** Whether the order of documents depends on a seed, and with it which of them belong to each part. */
const isDividedByChance = ({ part, shuffleBuffer = 0 }: TextSource): boolean => Boolean(part) && shuffleBuffer > 0;

/** The caller's seed, where the source has none of its own and need not have one. */
export const seeded = (source: TextSource, seed: number): TextSource =>
  isDividedByChance(source) ? source : { ...source, seed: source.seed ?? seed };

/** Two parts share no document only if both are read in one order. */
const requireOneOrder = (source: TextSource): void => {
  if (!isDividedByChance(source) || source.seed !== undefined) return;
  throw new ConfigError("The text is shuffled and divided into parts, but its seed is not given.", {
    hint: "Give data.seed, the same for training and for evaluation: with another order they would share documents.",
  });
};

/** Keys without effect are mistakes: whoever sets them expects a different text. */
const requireEffect = ({ path, revision, txtDocuments = "line" }: TextSource, local: boolean): void => {
  if (local && revision !== undefined && revision !== null) {
    throw noEffect("revision", revision, `${path} is on this machine's disk and has no revisions`);
  }
  if (!local && txtDocuments !== "line") {
    throw noEffect("txt_documents", txtDocuments, `${path} is a dataset of the hub and no .txt file`);
  }
};

const noEffect = (key: string, value: string, why: string): ConfigError =>
  new ConfigError(`data.${key} is ${JSON.stringify(value)}, but ${why}.`, { hint: `Leave data.${key} out.` });

/** A name with at most one slash and no known extension may be a dataset on the hub; everything else is a file. */
const isLocal = (path: string): boolean =>
  path === PYTHON_DOCS || existsSync(path) || !/^[\w.-]+(\/[\w.-]+)?$/.test(path) || FILE_ENDING.test(path);

const FILE_ENDING = /\.(txt|jsonl|ndjson|json|zst|gz|parquet)$/i;
