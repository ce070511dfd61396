import { setTimeout as sleep } from "node:timers/promises";
import pRetry from "p-retry";
import { Agent, type Dispatcher, interceptors, request } from "undici";
import { CancelledError, DictlearnError } from "../../errors.ts";
import { version } from "../../version.ts";

/** How requests are retried after a failure. */
export interface Patience {
  /** Consecutive failures, without a byte in between, before giving up. */
  readonly retries: number;
  /** Milliseconds before the first retry; each further one waits twice as long. */
  readonly pause: number;
}

export type Response = Dispatcher.ResponseData;

/** A temporary refusal by a server; `wait` is the delay that it requested, in milliseconds. */
export class TemporaryError extends Error {
  readonly wait: number;
  constructor(message: string, wait = 0) {
    super(message);
    this.wait = wait;
  }
}

/** Refusals worth a retry. */
const TEMPORARY = new Set([408, 425, 429, 500, 502, 503, 504]);
/** If a server requests a longer delay, the download gives up. */
const LONGEST_WAIT_MS = 120_000;
const HEADERS = { "user-agent": `dictlearn/${version}` };

/** Node's own connections, following redirects, since the hub redirects to another server. */
const dispatcher = new Agent({ connect: { timeout: 20_000 }, headersTimeout: 60_000, bodyTimeout: 60_000 }).compose(
  interceptors.redirect({ maxRedirections: 5 }),
);

/**
 * One GET request. The caller reads the body.
 *
 * @throws {TemporaryError} for temporary failures, {DictlearnError} `download` for permanent ones.
 */
export const get = async (url: string, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> => {
  const options = { dispatcher, headers: { ...HEADERS, ...headers }, ...(signal === undefined ? {} : { signal }) };
  const response = await request(url, options);
  const { statusCode } = response;
  if (statusCode === 200 || statusCode === 206 || statusCode === 416) return response;
  await response.body.dump();
  const answer = `${url} could not be read: the server answered ${statusCode}`;
  if (TEMPORARY.has(statusCode)) throw new TemporaryError(answer, waitOf(response));
  throw new DictlearnError(`${answer}.`, {
    code: statusCode === 404 ? "not_found" : "download",
    hint: statusCode === 404 ? "Look at the address, or name another place with --mirror." : undefined,
  });
};

/**
 * Retries temporary failures. `progressed` tells whether bytes arrived since its last call: then the failure was not
 * consecutive.
 */
export const patiently = async <T>(
  attempt: () => Promise<T>,
  { retries, pause }: Patience,
  options: { readonly signal?: AbortSignal | undefined; readonly progressed?: () => boolean } = {},
): Promise<T> => {
  const { signal, progressed = () => false } = options;
  try {
    return await pRetry(attempt, {
      retries,
      minTimeout: pause,
      factor: 2,
      maxTimeout: LONGEST_WAIT_MS,
      ...(signal === undefined ? {} : { signal }),
      shouldConsumeRetry: () => !progressed(),
      shouldRetry: ({ error }) => isTemporary(error),
      onFailedAttempt: async ({ error, retriesLeft }) => {
        if (error instanceof TemporaryError && retriesLeft > 0) await sleep(error.wait, undefined, { signal });
      },
    });
  } catch (error) {
    if (signal?.aborted) throw new CancelledError();
    if (error instanceof DictlearnError || !isTemporary(error)) throw error;
    throw new DictlearnError(`${(error as Error).message.replace(/\.$/, "")}, ${retries + 1} times in a row.`, {
      code: "download",
      hint: "Run the same command again later: it goes on where it stopped.",
      cause: error,
    });
  }
};

/** Connection errors, by their names in undici and Node. */
const CONNECTION =
  /^(UND_ERR_(SOCKET|CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|RES_CONTENT_LENGTH_MISMATCH)|ECONNRESET|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|ENETUNREACH|EHOSTUNREACH|HPE_[A-Z_]+)$/;

const isTemporary = (error: unknown): boolean => {
  if (error instanceof TemporaryError) return true;
  return error instanceof Error && "code" in error && CONNECTION.test(String(error.code));
};

/** Retry-After is a number of seconds, or a date. */
const waitOf = ({ headers }: Response): number => {
  const value = String(headers["retry-after"] ?? "");
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(milliseconds) ? Math.min(LONGEST_WAIT_MS, Math.max(0, milliseconds)) : 0;
};
