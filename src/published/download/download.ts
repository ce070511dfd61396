import { lockFolder } from "../../checkpoint/folder-lock.ts";
import { makeFolder } from "../../make-folder.ts";
import { checkArguments, checkOptions, kinds, optionsOf } from "../../options/index.ts";
import type { PublishedSet } from "../published-set.ts";
import { publishedDictionaries, publishedSet, sitesKind } from "../registry.ts";
import { fromFolders } from "./from-folders.ts";
import { fromZip } from "./from-zip.ts";
import type { Patience } from "./http.ts";
import { Inspector } from "./inspector.ts";
import { mirrorOf } from "./mirror.ts";
import { type DownloadedFile, type DownloadOptions, SetDownload } from "./set-download.ts";

const OPTIONS = optionsOf<DownloadOptions>(
  {
    to: kinds.name("the path of a folder, as a text"),
    layers: sitesKind,
    checkpoints: kinds.flag(),
    mirror: kinds.name(),
    worker: kinds.worker(),
    python: kinds.name(),
    patience: optionsOf<Patience>({ retries: kinds.whole(0), pause: kinds.whole(0) }, ["retries", "pause"]),
    signal: kinds.signal(),
    onProgress: kinds.callback(),
  },
  ["to"],
);
const SET = kinds.that(
  "the name of a set, or a set",
  (value) => ["string", "object"].includes(typeof value) && value !== null,
);

/**
 * Downloads released dictionaries, each file atomically: it is checked (size, checksum if known, names and shapes of
 * the tensors) before it gets its name. Existing files are checked and kept; interrupted downloads resume.
 *
 * @throws {DictlearnError} `not_found`, `download`, `wrong_size`, `wrong_checksum`, `bad_zip`, `not_a_dictionary`, …
 */
export const downloadPublished = async (
  set: string | PublishedSet,
  options: DownloadOptions,
): Promise<readonly DownloadedFile[]> => {
  checkArguments("downloadPublished", { set: [set, SET] });
  checkOptions(OPTIONS, options, "downloadPublished");
  const wanted = typeof set === "string" ? publishedSet(set) : set;
  const dictionaries = publishedDictionaries(wanted, options.layers);
  const mirror = mirrorOf(wanted, options.mirror);
  const { to } = options;
  makeFolder(to);
  await using _lock = await lockFolder(to);
  await using inspector = new Inspector(options);
  const download = new SetDownload(wanted, dictionaries, { ...options, mirror, inspector });
  return wanted.source.kind === "zip" && mirror.local(dictionaries[0]?.folder ?? "") === undefined
    ? await fromZip(download, wanted.source)
    : await fromFolders(download);
};
