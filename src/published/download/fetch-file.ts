import { DictlearnError } from "../../errors.ts";
import { get, type Patience, patiently, type Response, TemporaryError } from "./http.ts";
import type { Origin, PartFile } from "./part-file.ts";

export interface FetchOptions {
  readonly patience: Patience;
  readonly signal?: AbortSignal | undefined;
  /** Throws if the size that the server states is impossible. */
  readonly checkSize: (bytes: number) => void;
  /** Called with the bytes received and the total, if the server states it. */
  readonly onBytes: (done: number, total: number | undefined) => void;
}

/**
 * Downloads a file into `part`. A broken connection resumes where it broke, in this call or a later one, if the server
 * confirms that the file is unchanged (If-Range with its ETag or date).
 */
export const fetchFile = async (url: string, part: PartFile, options: FetchOptions): Promise<void> => {
  // Only new bytes count as progress: a server without range support sends the beginning again.
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
    // The server has no further bytes, but did not confirm that the part is complete.
    await response.body.dump();
    part.discard();
    throw new TemporaryError(`${url} has no such part as was asked for`);
  }
  const size = sizeOf(response);
  if (size !== undefined) checkSize(size);
  if (response.statusCode !== 206) {
    // The full file: because there was no part, or because the file has changed since.
    there = 0;
    part.begin({ url, validator: validatorOf(response), size: size ?? null });
  } else if (startOf(response) !== there || isAnother(response, origin)) {
    // Some servers ignore If-Range, and would send the end of a file that has changed since.
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

/** Size of the full file, whatever part of it is sent. */
const sizeOf = (response: Response): number | undefined => {
  const stated =
    response.statusCode === 206
      ? /\/(\d+)$/.exec(header(response, "content-range") ?? "")?.[1]
      : header(response, "content-length");
  return stated === undefined ? undefined : Number(stated);
};

/** Whether a part belongs to another version of the file than the existing part. */
const isAnother = (response: Response, origin: Origin | undefined): boolean => {
  const [validator, size] = [validatorOf(response), sizeOf(response)];
  const { validator: begun, size: whole = null } = origin ?? {};
  return (validator !== undefined && validator !== begun) || (size !== undefined && whole !== null && size !== whole);
};

const startOf = (response: Response): number =>
  Number(/^bytes (\d+)-/.exec(header(response, "content-range") ?? "")?.[1] ?? Number.NaN);

/** The validator of a file: a strong ETag, or else its date. */
const validatorOf = (response: Response): string | undefined => {
  const etag = header(response, "etag");
  return etag?.startsWith('"') === true ? etag : header(response, "last-modified");
};
