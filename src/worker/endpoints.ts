import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { curveKeyPair } from "zeromq";
import { EnvironmentError } from "../errors.ts";
import { reasonOf } from "../system-errors.ts";
import type { Channel } from "./channel.ts";

/** A Unix socket's path must fit this many bytes. */
const MAX_SOCKET_PATH = 107;

/** Where the channels of one worker are, and how it learns of that. */
export interface Endpoints {
  /** What the worker needs to get in, beside the endpoints themselves: never on its command line, which every user can read. */
  readonly environment: Readonly<Record<string, string>>;
  /** Binds a channel under a name of its own, and returns where that is. */
  bind(channel: Channel, name: string): Promise<string>;
  /** Removes what the endpoints left on the disk. */
  remove(): void;
}

/**
 * Fresh endpoints that only this user can reach. `kind` is `ipc`, sockets in a folder of mode 0700, or `tcp` or
 * `tcp://ADDRESS`, encrypted by CURVE with a key made for this worker: who lacks it gets no answer.
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
  // To greet a CURVE server one has to know its public key, and only the worker is told.
  const { publicKey, secretKey } = curveKeyPair();
  return {
    environment: { DICTLEARN_SERVER_KEY: publicKey },
    bind: async (channel) => await channel.bind(`tcp://${address}:*`, secretKey),
    remove: () => {},
  };
};
