import { DictlearnError } from "../../errors.ts";
import { get, type Patience, patiently, type Response, TemporaryError } from "./http.ts";
import type { Origin, PartFile } from "./part-file.ts";

export interface FetchOptions {
  readonly patience: Patience;
  readonly signal?: AbortSignal | undefined;
  /** Throws when the size that the server states cannot be right. */
  readonly checkSize: (bytes: number) => void;
  /** Told how many bytes are there, and how many there will be, if the server says so. */
  readonly onBytes: (done: number, total: number | undefined) => void;
}

/**
 * Brings a file over into `part`. A connection that breaks is taken up where it broke, in this call or a later one, as long
 * as the server says that the file is still the same (If-Range with its ETag or date).
 */
export const fetchFile = async (url: string, part: PartFile, options: FetchOptions): Promise<void> => {
  // Only what was never there before is progress: a server that lets nothing be continued sends the beginning again.
  let farthest = part.size;
  let before = farthest;
  const onBytes = (done: number, total: number | undefined): void => {
    farthest = Math.max(farthest, done);
    options.onBytes(done, total);
  };
  const attempt = async (): Promise<void> => {
    before = farthest;
    await fetchRest(url, part, { ...options, onBytes });
  };
  await patiently(attempt, options.patience, { signal: options.signal, progressed: () => farthest > before });
};

const fetchRest = async (url: string, part: PartFile, { signal, checkSize, onBytes }: FetchOptions): Promise<void> => {
  const origin = part.origin(url);
  let there = part.size;
  if (origin !== undefined && origin.size === there) return onBytes(there, there);
  const rest = origin !== undefined && there > 0;
  const response = await get(url, rest ? { range: `bytes=${there}-`, "if-range": origin.validator } : {}, signal);
  if (response.statusCode === 416) {
    // There is nothing behind what is there: whether that is all of it, nobody said.
    await response.body.dump();
    part.discard();
    throw new TemporaryError(`${url} has no such part as was asked for`);
  }
  const size = sizeOf(response);
  if (size !== undefined) checkSize(size);
  if (response.statusCode !== 206) {
    // All of it: because nothing was there, or because the file has changed since.
    there = 0;
    part.begin({ url, validator: validatorOf(response), size: size ?? null });
  } else if (startOf(response) !== there || isAnother(response, origin)) {
    // Some servers overlook If-Range, and would send the end of a file that is no longer the one that was begun.
    part.discard();
    throw new TemporaryError(`${url} sent another part than was asked for`);
  }
  onBytes(there, size);
  await part.append(response.body, (count) => {
    there += count;
    onBytes(there, size);
  });
  if (size === undefined || there === size) return;
  if (there < size) throw new TemporaryError(`${url} ended after ${there} of ${size} bytes`);
  part.discard();
  throw new DictlearnError(`${url} sent more than the ${size} bytes that it announced.`, { code: "download" });
};

const header = ({ headers }: Response, name: string): string | undefined => {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
};

/** Size of the whole file, whatever part of it is sent. */
const sizeOf = (response: Response): number | undefined => {
  const stated =
    response.statusCode === 206
      ? /\/(\d+)$/.exec(header(response, "content-range") ?? "")?.[1]
      : header(response, "content-length");
  return stated === undefined ? undefined : Number(stated);
};

/** Whether a part belongs to another version of the file than the one that was begun. */
const isAnother = (response: Response, origin: Origin | undefined): boolean => {
  const [validator, size] = [validatorOf(response), sizeOf(response)];
  const { validator: begun, size: whole = null } = origin ?? {};
  return (validator !== undefined && validator !== begun) || (size !== undefined && whole !== null && size !== whole);
};

const startOf = (response: Response): number =>
  Number(/^bytes (\d+)-/.exec(header(response, "content-range") ?? "")?.[1] ?? Number.NaN);

/** What says that a file is the same as before: a strong ETag, or else its date. */
const validatorOf = (response: Response): string | undefined => {
  const etag = header(response, "etag");
  return etag?.startsWith('"') === true ? etag : header(response, "last-modified");
};
