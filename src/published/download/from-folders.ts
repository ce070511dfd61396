import { existsSync } from "node:fs";
import { dirname } from "node:path";
import pLimit from "p-limit";
import { makeFolder } from "../../make-folder.ts";
import { PartFile } from "./part-file.ts";
import type { DownloadedFile, SetDownload } from "./set-download.ts";
import { checkSize, requireWeights, type WantedFile, wantedFile } from "./wanted.ts";

/** Few enough for a university's server. */
const CONNECTIONS = 3;

/** From a source with separate files. */
export const fromFolders = async (download: SetDownload): Promise<readonly DownloadedFile[]> => {
  const { mirror, to, signal, checkpoints = false } = download.means;
  const files: WantedFile[] = [];
  for (const dictionary of download.dictionaries) {
    download.report("Looking", dictionary.folder);
    const names = await mirror.list(dictionary, { checkpoints, patience: download.patience, signal });
    files.push(...names.flatMap((name) => wantedFile(dictionary, name, to) ?? []));
  }
  requireWeights(download.set, download.dictionaries, { files, where: mirror.name });
  const absent = files.filter(({ target }) => !existsSync(target));
  download.requireSpace(absent.reduce((sum, { bytes }) => sum + bytes, 0));
  download.expect(files);

  // The first failure stops the others; their partial files stay for the next time.
  const stop = new AbortController();
  const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const limit = pLimit(CONNECTIONS);
  const results = await Promise.allSettled(
    files.map((file) =>
      limit(async () => {
        both.throwIfAborted();
        try {
          return await bring(download, file, both);
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
};

const bring = async (download: SetDownload, file: WantedFile, signal: AbortSignal): Promise<DownloadedFile> => {
  if (existsSync(file.target)) return await download.lookAt(file);
  makeFolder(dirname(file.target));
  const { mirror } = download.means;
  const part = new PartFile(file.target);
  await mirror.bring(file.name, part, {
    patience: download.patience,
    signal,
    checkSize: (bytes) => checkSize(file, bytes, `${file.name} at ${mirror.name}`),
    onBytes: download.watch("Downloading", file.name, file.bytes),
  });
  return await download.arrive(file, part);
};
