import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/**
 * A message of pythonia's protocol. `r` numbers a request and its answer, `c` names a part that handles requests from
 * Python.
 */
export interface BridgeMessage {
  readonly r?: number;
  readonly c?: string;
  readonly key?: string;
  readonly sig?: string;
  /** Python's output: the stream and the text. */
  readonly name?: "stdout" | "stderr";
  readonly text?: string;
}

type Receiver = (message: BridgeMessage) => unknown;

/** The interface that pythonia expects of the connection to its Python half. */
export interface Connection {
  register(id: number | string, receive: Receiver): void;
  write(message: { readonly r: number }, receive?: Receiver): void;
  writeRaw(text: string, id: number, receive: Receiver): void;
}

type Path = readonly (string | number)[];

/** The JavaScript half of pythonia: proxies of Python objects, and Python's access to JavaScript objects. */
export interface PythoniaBridge {
  readonly loop: NodeJS.Timeout;
  end(): void;
  makePyObject(id: number | string, text?: string): unknown;
  get(id: number | string, path: Path, args: unknown[], quiet?: boolean): Promise<unknown>;
  call(
    id: number | string,
    path: Path,
    args: unknown[],
    named: Record<string, unknown> | undefined,
    set: boolean,
    timeout?: number,
  ): Promise<unknown>;
  value(id: number | string, path: Path): Promise<unknown>;
  inspect(id: number | string, path: Path): Promise<unknown>;
  len(id: number | string, path: Path): Promise<unknown>;
}

/** pythonia's class, and the folder of its Python modules. */
export interface Pythonia {
  readonly Bridge: new (connection: Connection) => PythoniaBridge;
  readonly folder: string;
}

/**
 * Loads the two halves of pythonia without its entry point, which would start another Python whose death goes
 * undetected. Its time limit is disabled, since it would keep Node running for 100 s: this process detects more
 * reliably whether Python is alive.
 */
export const loadPythonia = (): Pythonia => {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve("pythonia"));
  const before = process.env.REQ_TIMEOUT;
  process.env.REQ_TIMEOUT = "0";
  try {
    const { Bridge } = require(join(folder, "Bridge.js")) as Pick<Pythonia, "Bridge">;
    return { Bridge, folder };
  } finally {
    if (before === undefined) delete process.env.REQ_TIMEOUT;
    else process.env.REQ_TIMEOUT = before;
  }
};
