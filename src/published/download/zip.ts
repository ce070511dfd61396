import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import yauzl, { type Entry, type ZipFile } from "yauzl";
import { DictlearnError } from "../../errors.ts";

/** A wanted file in a zip. */
export interface ZipEntry {
  /** Its name in the zip. */
  readonly name: string;
  /** Its size, as the zip states it; a stream of another size fails. */
  readonly bytes: number;
  readonly open: () => Promise<AsyncIterable<Uint8Array>>;
}

const openZip = async (path: string): Promise<ZipFile> =>
  await new Promise((resolve, reject) => {
    yauzl.open(path, { lazyEntries: true, autoClose: false, strictFileNames: true }, (error, zip) => {
      if (error) reject(broken(path, error));
      else resolve(zip);
    });
  });

/** Calls `visit` with every file of a zip, one after the other. Names that would leave a folder are an error. */
export const eachEntry = async (path: string, visit: (entry: ZipEntry) => Promise<void>): Promise<void> => {
  const zip = await openZip(path);
  try {
    for (;;) {
      const entry = await nextEntry(zip, path);
      if (entry === undefined) return;
      if (entry.fileName.endsWith("/")) continue;
      await visit({
        name: entry.fileName,
        bytes: entry.uncompressedSize,
        open: async () => await openEntry(zip, entry, path),
      });
    }
  } finally {
    zip.close();
  }
};

const nextEntry = async (zip: ZipFile, path: string): Promise<Entry | undefined> =>
  await new Promise((resolve, reject) => {
    const settle = (run: () => void) => {
      zip.removeAllListeners("entry").removeAllListeners("end").removeAllListeners("error");
      run();
    };
    zip.once("entry", (entry: Entry) => settle(() => resolve(entry)));
    zip.once("end", () => settle(() => resolve(undefined)));
    zip.once("error", (error: Error) => settle(() => reject(broken(path, error))));
    zip.readEntry();
  });

const openEntry = async (zip: ZipFile, entry: Entry, path: string): Promise<AsyncIterable<Uint8Array>> =>
  await new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => {
      if (error) reject(broken(path, error));
      else resolve(named(stream, path));
    });
  });

/** A stream whose errors name the damaged zip. */
async function* named(stream: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    throw broken(path, error as Error);
  }
}

const broken = (path: string, error: Error): DictlearnError =>
  new DictlearnError(`${path} is not a zip that can be used: ${error.message.replace(/\.$/, "")}.`, {
    code: "bad_zip",
    cause: error,
  });

/** SHA-256 of a file, in hexadecimal digits. */
export const sha256 = async (path: string): Promise<string> => {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
};
