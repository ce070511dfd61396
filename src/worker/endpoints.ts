import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { curveKeyPair } from "zeromq";
import { EnvironmentError } from "../errors.ts";
import type { Channel } from "./channel.ts";

/** A Unix socket's path must fit this many bytes. */
const MAX_SOCKET_PATH = 107;

/** Where the two channels of one worker are, and how it learns of that. */
export interface Endpoints {
  /** For the worker's environment: never on its command line, which every user can read. */
  readonly environment: Readonly<Record<string, string>>;
  /** Removes what the endpoints left on the disk. */
  remove(): void;
}

/**
 * Binds both channels to fresh endpoints that only this user can reach. `kind` is `ipc`, sockets in a folder of mode 0700,
 * or `tcp` or `tcp://ADDRESS`, encrypted by CURVE with a key made for this worker: who lacks it gets no answer.
 */
export const bindEndpoints = async (
  channels: { readonly data: Channel; readonly control: Channel },
  kind = "ipc",
): Promise<Endpoints> => {
  if (kind === "ipc") return await bindIpc(channels);
  const address = /^tcp(?::\/\/([\w.-]+))?$/.exec(kind);
  if (address !== null) return await bindTcp(channels, address[1] ?? "127.0.0.1");
  throw new EnvironmentError(`DICTLEARN_ENDPOINT is ${kind}, but must be ipc, tcp or tcp://ADDRESS.`, {
    hint: "Leave it out for ipc.",
  });
};

type Channels = Parameters<typeof bindEndpoints>[0];

const bindIpc = async ({ data, control }: Channels): Promise<Endpoints> => {
  let folder = mkdtempSync(join(tmpdir(), "dictlearn-"));
  if (Buffer.byteLength(join(folder, "control")) > MAX_SOCKET_PATH) {
    rmSync(folder, { recursive: true });
    folder = mkdtempSync("/tmp/dictlearn-");
  }
  const environment = {
    DICTLEARN_DATA: await data.bind(`ipc://${join(folder, "data")}`),
    DICTLEARN_CONTROL: await control.bind(`ipc://${join(folder, "control")}`),
  };
  return { environment, remove: () => rmSync(folder, { recursive: true, force: true }) };
};

const bindTcp = async ({ data, control }: Channels, address: string): Promise<Endpoints> => {
  // To greet a CURVE server one has to know its public key, and only the worker is told.
  const { publicKey, secretKey } = curveKeyPair();
  const environment = {
    DICTLEARN_DATA: await data.bind(`tcp://${address}:*`, secretKey),
    DICTLEARN_CONTROL: await control.bind(`tcp://${address}:*`, secretKey),
    DICTLEARN_SERVER_KEY: publicKey,
  };
  return { environment, remove: () => {} };
};
