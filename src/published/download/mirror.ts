import { createReadStream, existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError, DictlearnError } from "../../errors.ts";
import type { PublishedDictionary, PublishedSet } from "../published-set.ts";
import { fetchFile } from "./fetch-file.ts";
import type { Patience } from "./http.ts";
import { listFolder } from "./index-pages.ts";
import type { PartFile } from "./part-file.ts";

interface Transfer {
  readonly patience: Patience;
  readonly signal?: AbortSignal | undefined;
  readonly checkSize: (bytes: number) => void;
  readonly onBytes: (done: number, total: number | undefined) => void;
}

/** A source of files: a web server, or a local folder. */
export interface Mirror {
  /** For messages. */
  readonly name: string;
  /** Names of the files in a dictionary's folder, including checkpoints if wanted; empty if it does not exist. */
  list(
    dictionary: PublishedDictionary,
    options: { readonly checkpoints: boolean; readonly patience: Patience; readonly signal?: AbortSignal | undefined },
  ): Promise<readonly string[]>;
  /** Downloads the file at that path below the top folder. */
  bring(path: string, part: PartFile, transfer: Transfer): Promise<void>;
  /** The path of a file on this machine, if no download is needed. */
  local(path: string): string | undefined;
}

/**
 * The source of a set: the authors' server, or `mirror`, a URL or a local folder that has the same layout (or the zip
 * itself, for a set that is one).
 *
 * @throws {ConfigError} when a local mirror does not exist.
 */
export const mirrorOf = (set: PublishedSet, mirror: string | undefined): Mirror => {
  if (mirror === undefined) return webMirror(authorsPlace(set));
  if (/^https?:/i.test(mirror)) return webMirror(mirror);
  const path = mirror.startsWith("file:") ? fileURLToPath(mirror) : resolve(mirror);
  if (!existsSync(path)) {
    throw new ConfigError(`The mirror ${mirror} does not exist.`, { hint: "Name a URL or a local folder." });
  }
  return localMirror(path);
};

const authorsPlace = ({ source }: PublishedSet): string => {
  if (source.kind === "folders") return source.url;
  const hub = process.env.HF_ENDPOINT ?? "https://huggingface.co";
  return `${hub}/${source.repository}/resolve/${source.revision}/`;
};

const webMirror = (url: string): Mirror => {
  const top = /\.zip$/i.test(url) || url.endsWith("/") ? url : `${url}/`;
  return {
    name: top,
    list: async ({ folder }, { checkpoints, patience, signal }) => {
      const at = new URL(`${folder}/`, top).href;
      const names = await listFolder(at, patience, signal).catch(emptyWhereMissing);
      if (!checkpoints || !names.includes("checkpoints/")) return names;
      const saved = await listFolder(`${at}checkpoints/`, patience, signal);
      return [...names, ...saved.map((name) => `checkpoints/${name}`)];
    },
    bring: async (path, part, transfer) =>
      await fetchFile(/\.zip$/i.test(top) ? top : new URL(path, top).href, part, transfer),
    local: () => undefined,
  };
};

const emptyWhereMissing = (error: unknown): readonly string[] => {
  if (error instanceof DictlearnError && error.code === "not_found") return [];
  throw error;
};

const localMirror = (top: string): Mirror => {
  const isFile = statSync(top).isFile();
  return {
    name: top,
    list: async ({ folder }, { checkpoints }) => {
      const at = join(top, folder);
      if (!existsSync(at)) return [];
      const saved = join(at, "checkpoints");
      const more = checkpoints && existsSync(saved) ? readdirSync(saved).map((name) => `checkpoints/${name}`) : [];
      return [...readdirSync(at), ...more];
    },
    bring: async (path, part, { checkSize, onBytes }) => {
      const from = join(top, path);
      const { size } = statSync(from);
      checkSize(size);
      part.begin({ url: from, validator: undefined, size });
      let done = 0;
      await part.append(createReadStream(from), (count) => {
        done += count;
        onBytes(done, size);
      });
    },
    local: (path) => {
      if (isFile) return path.endsWith(".zip") ? top : undefined;
      const at = join(top, path);
      return existsSync(at) ? at : undefined;
    },
  };
};
