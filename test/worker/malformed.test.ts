import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { Dealer } from "zeromq";
import { pythonFolder } from "../../src/environment/index.ts";
import { schemaHash } from "../../src/protocol/index.ts";
import { decode, encode } from "../../src/worker/codec.ts";
import { PendingCalls } from "../../src/worker/pending.ts";
import { seeded } from "../faults/random.ts";
import { python } from "../support.ts";

const FRAMES = 10_000;
const packr = new Packr({ useRecords: false, variableMapSize: true });

/** Frames that are not a message, or an illegal one; every kind appears repeatedly. */
const malformed = (random: () => number): Uint8Array[] => {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const noise = (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * 256));
  const message = encode({ id: 1 + Math.floor(random() * 9), method: pick(METHODS), params: pick(PARAMS) });
  switch (Math.floor(random() * 7)) {
    case 0:
      return [noise(Math.floor(random() * 64))];
    case 1:
      return [message.slice(0, Math.floor(random() * message.length))];
    case 2: {
      const flipped = message.slice();
      const bit = Math.floor(random() * flipped.length * 8);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return [flipped];
    }
    case 3:
      return [message, noise(Math.floor(random() * 32)), noise(3)];
    case 4:
      return [packr.pack(pick(VALUES))];
    case 5:
      // Thousands of nested lists.
      return [Uint8Array.from({ length: Math.floor(random() * 5000) }, () => 0x91)];
    default:
      return [packr.pack({ v: pick(VALUES), id: pick(VALUES), method: pick(VALUES), params: pick(VALUES) })];
  }
};

const METHODS = [
  "status",
  "release",
  "train.steps",
  "dictionary.encode",
  "no.such",
  "",
  "ping",
  "cancel",
  "state.load",
];
const VALUES = [
  null,
  -1,
  2 ** 60,
  1.5,
  Number.NaN,
  "",
  "x".repeat(1000),
  [],
  {},
  [[]],
  { id: 1 },
  true,
  new Uint8Array(9),
];
const PARAMS = [...VALUES, { handles: [{ id: 1, generation: 9 }] }, { path: "/nowhere" }, { id: "1" }, { id: -7 }];

/** A separate worker, so that we control the bytes on its sockets. */
const startBare = async () => {
  const folder = mkdtempSync(join(tmpdir(), "dictlearn-test-"));
  const bind = async (name: string) => {
    const socket = new Dealer({ linger: 0, receiveTimeout: 20_000, sendHighWaterMark: 0, receiveHighWaterMark: 0 });
    await socket.bind(`ipc://${join(folder, name)}`);
    return socket;
  };
  const data = await bind("data");
  const control = await bind("control");
  const child = spawn(await python(), ["-m", "dictlearn_worker"], {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      PYTHONPATH: pythonFolder,
      DICTLEARN_DATA: `ipc://${join(folder, "data")}`,
      DICTLEARN_CONTROL: `ipc://${join(folder, "control")}`,
      DICTLEARN_PARENT: String(process.pid),
    },
  });
  return { data, control, child };
};

/** Sends, and reads all answers up to the one to `id`; returns the number of errors among them. */
const ask = async (socket: Dealer, method: string, params: unknown, id: number): Promise<number> => {
  await socket.send([encode({ id, method, params })]);
  for (let errors = 0; ; ) {
    const [frame] = await socket.receive();
    const reply = decode(frame as Uint8Array);
    if (reply.id === id && "ok" in reply) return errors;
    if ("error" in reply) errors += 1;
  }
};

describe("malformed frames", () => {
  it("on the worker's sockets are answered with an error or dropped", async () => {
    const { data, control, child } = await startBare();
    try {
      await ask(data, "hello", { schema_hash: schemaHash(), generation: 1 }, 1_000_000);
      for (const [socket, method, seed] of [
        [data, "status", 1],
        [control, "ping", 2],
      ] as const) {
        const random = seeded(seed);
        let errors = 0;
        for (let sent = 0; sent < FRAMES; sent += 1000) {
          for (let count = 0; count < 1000; count += 1) {
            const frames = malformed(random);
            await socket.send(frames);
          }
          errors += await ask(socket, method, {}, 1_000_001 + sent);
        }
        expect(errors).toBeGreaterThan(FRAMES / 20);
        expect(child.exitCode).toBe(null);
      }
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
      data.close();
      control.close();
    }
  });

  it("on Node's side are one error each, or nothing to anybody", () => {
    const random = seeded(3);
    let refused = 0;
    for (let count = 0; count < FRAMES; count += 1) {
      const calls = new PendingCalls();
      const { reply } = calls.open("status");
      reply.catch(() => undefined);
      try {
        calls.receive(malformed(random).map((frame) => Buffer.from(frame)));
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        expect((error as Error).message.length).toBeGreaterThan(5);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(FRAMES / 4);
  });
});
