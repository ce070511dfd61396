import { Parser } from "htmlparser2";
import { DictlearnError } from "../../errors.ts";
import { get, type Patience, patiently } from "./http.ts";

/** An index page is small; anything larger is something else. */
const LARGEST_PAGE = 4 * 2 ** 20;

/** The entries on a web server's index page of a folder: names of files, and of folders with a trailing slash. */
export const listFolder = async (
  url: string,
  patience: Patience,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> => {
  const html = await patiently(async () => await page(url, signal), patience, { signal });
  const names = new Set<string>();
  const parser = new Parser({
    onopentag: (tag, { href }) => {
      const name = tag === "a" && href !== undefined ? nameIn(url, href) : undefined;
      if (name !== undefined) names.add(name);
    },
  });
  parser.end(html);
  return [...names];
};

const page = async (url: string, signal: AbortSignal | undefined): Promise<string> => {
  const { body, headers } = await get(url, { accept: "text/html" }, signal);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > LARGEST_PAGE) throw noList(url, "it is too large");
  }
  const type = String(headers["content-type"] ?? "");
  if (!/html/i.test(type)) throw noList(url, `its type is ${type || "not stated"}`);
  return Buffer.concat(chunks).toString();
};

const noList = (url: string, why: string): DictlearnError =>
  new DictlearnError(`${url} is not a list of files: ${why}.`, {
    code: "download",
    hint: "Name a mirror with index pages, or a local folder, with --mirror.",
  });

/**
 * The name in a link, if it points directly into the folder; links for sorting, to the parent or elsewhere do not.
 *
 * @throws {DictlearnError} `unsafe_name` where the name would leave the folder on the disk.
 */
const nameIn = (folder: string, href: string): string | undefined => {
  if (!URL.canParse(href, folder)) return undefined;
  const target = new URL(href, folder);
  const below = target.href.slice(folder.length);
  if (!target.href.startsWith(folder) || target.search !== "" || !/^[^/#]+\/?$/.test(below)) return undefined;
  const name = decode(below);
  if (name === undefined || /[\\\0]|\/./.test(name)) {
    throw new DictlearnError(`${folder} lists a file with the unsafe name ${below}, so nothing is taken from there.`, {
      code: "unsafe_name",
    });
  }
  return name.startsWith(".") ? undefined : name;
};

const decode = (raw: string): string | undefined => {
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
};
