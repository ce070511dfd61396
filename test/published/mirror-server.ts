import { createReadStream, existsSync, readdirSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** Answers instead of the server; returns whether it did. `visit` counts the requests for this path, from 1. */
type Trouble = (context: {
  readonly path: string;
  readonly visit: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly file: string;
}) => boolean;

export interface MirrorServer extends AsyncDisposable {
  readonly url: string;
  /** Every request: path, and requested range. */
  readonly requests: { readonly path: string; readonly range: string | undefined }[];
  trouble: Trouble;
}

/** A web server for a folder with index pages, ranges and ETags, like nginx or Apache, that misbehaves on request. */
export const serve = async (folder: string): Promise<MirrorServer> => {
  const visits = new Map<string, number>();
  const mirror = { url: "", requests: [] as MirrorServer["requests"], trouble: (() => false) as Trouble };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    const visit = (visits.get(path) ?? 0) + 1;
    visits.set(path, visit);
    mirror.requests.push({ path, range: request.headers.range });
    const file = join(folder, path);
    if (mirror.trouble({ path, visit, request, response, file })) return;
    if (!existsSync(file)) response.writeHead(404).end();
    else if (statSync(file).isDirectory()) index(file, path, response);
    else sendFile(file, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  mirror.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return Object.assign(mirror, {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
};

/** As Apache writes it: links for sorting, to the parent, and to the entries. */
const index = (file: string, path: string, response: ServerResponse): void => {
  const rows = readdirSync(file).map((name) => {
    const href = `${encodeURIComponent(name)}${statSync(join(file, name)).isDirectory() ? "/" : ""}`;
    return `<tr><td><a href="${href}">${name}</a></td></tr>`;
  });
  const links = `<a href="?C=N;O=D">Name</a> <a href="/">Parent Directory</a> <a href="https://elsewhere.example/x">x</a>`;
  response.writeHead(200, { "content-type": "text/html;charset=UTF-8" });
  response.end(`<html><title>Index of ${path}</title><body>${links}<table>${rows.join("\n")}</table></body></html>`);
};

export const etagOf = (file: string): string => {
  const { size, mtimeMs } = statSync(file);
  return `"${size}-${mtimeMs}"`;
};

export const sendFile = (file: string, request: IncomingMessage, response: ServerResponse): void => {
  const { size } = statSync(file);
  const etag = etagOf(file);
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const start = range !== null && request.headers["if-range"] === etag ? Number(range[1]) : 0;
  const length = { "content-length": size - start, etag };
  if (start === 0) response.writeHead(200, length);
  else response.writeHead(206, { ...length, "content-range": `bytes ${start}-${size - 1}/${size}` });
  createReadStream(file, { start }).pipe(response);
};
