import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { curveKeyPair } from "zeromq";
import { EnvironmentError } from "../errors.ts";
import { reasonOf } from "../system-errors.ts";
import type { Channel } from "./channel.ts";

/** A Unix socket's path must fit this many bytes. */
const MAX_SOCKET_PATH = 107;

/** The addresses of one worker's channels, and how the worker receives them. */
export interface Endpoints {
  /**
   * The credentials that the worker needs in addition to the endpoints: never on its command line, which every user can
   * read.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** Binds a channel under its own name, and returns its endpoint. */
  bind(channel: Channel, name: string): Promise<string>;
  /** Removes the endpoints' files from the disk. */
  remove(): void;
}

/**
 * Fresh endpoints that only this user can reach. `kind` is `ipc`, sockets in a folder of mode 0700, or `tcp` or
 * `tcp://ADDRESS`, encrypted by CURVE with a key created for this worker: clients without it get no answer.
 */
export const newEndpoints = (kind = "ipc"): Endpoints => {
  if (kind === "ipc") return ipcEndpoints();
  const address = /^tcp(?::\/\/([\w.-]+))?$/.exec(kind);
  if (address !== null) return tcpEndpoints(address[1] ?? "127.0.0.1");
  throw new EnvironmentError(`DICTLEARN_ENDPOINT is ${kind}, but must be ipc, tcp or tcp://ADDRESS.`, {
    hint: "Leave it out for ipc.",
  });
};

const ipcEndpoints = (): Endpoints => {
  let folder = socketFolder();
  if (Buffer.byteLength(join(folder, "control")) > MAX_SOCKET_PATH) {
    rmSync(folder, { recursive: true });
    folder = mkdtempSync("/tmp/dictlearn-");
  }
  return {
    environment: {},
    bind: async (channel, name) => await channel.bind(`ipc://${join(folder, name)}`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
};

/** In the folder for temporary files, or in /tmp where TMPDIR names none that can be written. */
const socketFolder = (): string => {
  try {
    return mkdtempSync(join(tmpdir(), "dictlearn-"));
  } catch {
    try {
      return mkdtempSync("/tmp/dictlearn-");
    } catch (error) {
      throw new EnvironmentError(`No temporary folder can be made in ${tmpdir()} or /tmp: ${reasonOf(error)}.`, {
        code: "no_place",
        hint: "Let TMPDIR name a folder that you may write to.",
        cause: error,
      });
    }
  }
};

const tcpEndpoints = (address: string): Endpoints => {
  // A client of a CURVE server must know its public key, and only the worker receives it.
  const { publicKey, secretKey } = curveKeyPair();
  return {
    environment: { DICTLEARN_SERVER_KEY: publicKey },
    bind: async (channel) => await channel.bind(`tcp://${address}:*`, secretKey),
    remove: () => {},
  };
};
