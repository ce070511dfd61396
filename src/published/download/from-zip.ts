import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import prettyBytes from "pretty-bytes";
import { DictlearnError } from "../../errors.ts";
import { makeFolder } from "../../make-folder.ts";
import type { PublishedSet } from "../published-set.ts";
import { PartFile } from "./part-file.ts";
import type { DownloadedFile, SetDownload } from "./set-download.ts";
import { checkSize, requireWeights, type WantedFile, wantedFile } from "./wanted.ts";
import { eachEntry, sha256 } from "./zip.ts";

type Zip = Extract<PublishedSet["source"], { kind: "zip" }>;

/** From one zip, which is downloaded first, then unpacked. */
export const fromZip = async (download: SetDownload, source: Zip): Promise<readonly DownloadedFile[]> => {
  const { to, mirror, signal } = download.means;
  const present = await presentOfZip(download);
  if (present !== undefined) return present;
  const part = new PartFile(join(to, source.file));
  const local = mirror.local(source.file);
  const unpacked = download.dictionaries.length * download.set.ae_bytes;
  download.requireSpace(unpacked + (local === undefined ? source.bytes - part.size : 0));
  const where = local ?? `${mirror.name.replace(/[^/]*\.zip$/i, "")}${source.file}`;
  if (local === undefined) {
    const checkBytes = (bytes: number) => requireEqual(bytes, source.bytes, where);
    await mirror.bring(source.file, part, {
      patience: download.patience,
      signal,
      checkSize: checkBytes,
      onBytes: download.watch("Downloading", source.file, source.bytes),
    });
  }
  const zip = local ?? part.path;
  download.report("Checking", source.file);
  if ((await sha256(zip)) !== source.sha256) {
    if (local === undefined) part.discard();
    throw new DictlearnError(`${where} is not the zip of the set ${download.set.name}: its SHA-256 is another one.`, {
      code: "wrong_checksum",
      hint: "Run the same command again, or name another place with --mirror.",
    });
  }
  const files = await unpack(download, zip, { root: source.root, where });
  if (local === undefined) part.discard();
  return files;
};

/** The wanted files of a zip, if all exist already; only the zip knows which checkpoints there are. */
const presentOfZip = async (download: SetDownload): Promise<readonly DownloadedFile[] | undefined> => {
  const { to, checkpoints = false } = download.means;
  const files = download.dictionaries.flatMap((dictionary) => wantedFile(dictionary, "ae.pt", to) ?? []);
  if (checkpoints || files.some(({ target }) => !existsSync(target))) return undefined;
  return await Promise.all(files.map(async (file) => await download.lookAt(file)));
};

/** Unpacks only the wanted files. */
const unpack = async (
  download: SetDownload,
  zip: string,
  { root, where }: { readonly root: string; readonly where: string },
): Promise<readonly DownloadedFile[]> => {
  const { to, signal, checkpoints = false } = download.means;
  const found: WantedFile[] = [];
  const done: DownloadedFile[] = [];
  await eachEntry(zip, async (entry) => {
    signal?.throwIfAborted();
    const file = download.dictionaries
      .map((dictionary) => {
        const folder = `${root}/${dictionary.folder}/`;
        return entry.name.startsWith(folder) ? wantedFile(dictionary, entry.name.slice(folder.length), to) : undefined;
      })
      .find((each) => each !== undefined);
    if (file === undefined || (!checkpoints && file.name.includes("/checkpoints/"))) return;
    checkSize(file, entry.bytes, `${where}: ${entry.name}`);
    found.push(file);
    if (existsSync(file.target)) {
      done.push(await download.lookAt(file));
      return;
    }
    makeFolder(dirname(file.target));
    const part = new PartFile(file.target);
    part.begin({ url: zip, validator: undefined, size: entry.bytes });
    const onBytes = download.watch("Unpacking", file.name, entry.bytes);
    try {
      await part.append(await entry.open(), () => onBytes(part.size, entry.bytes));
    } catch (error) {
      part.discard();
      throw error;
    }
    done.push(await download.arrive(file, part));
  });
  requireWeights(download.set, download.dictionaries, { files: found, where });
  return done;
};

const requireEqual = (bytes: number, expected: number, where: string): void => {
  if (bytes === expected) return;
  throw new DictlearnError(`${where} has ${prettyBytes(bytes)} (${bytes} bytes), but should have ${expected} bytes.`, {
    code: "wrong_size",
  });
};
