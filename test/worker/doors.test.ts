import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { curveKeyPair, Dealer } from "zeromq";
import { encode } from "../../src/worker/codec.ts";
import { Worker } from "../../src/worker/index.ts";
import { coldPython, rejection } from "../support.ts";

/** A user that exists on every machine and owns nothing. */
const NOBODY = 65_534;

/** The worker's environment, which only its own user can read. */
const environmentOf = (worker: Worker): Record<string, string> =>
  Object.fromEntries(
    readFileSync(`/proc/${worker.pid}/environ`, "utf8")
      .split("\0")
      // A Z85 key may contain "=" too.
      .map((entry) => [entry.replace(/=.*$/s, ""), entry.replace(/^[^=]*=/, "")]),
  );

describe("the sockets", () => {
  it("are in a folder that nobody else can enter", async () => {
    await using worker = await Worker.start({ python: await coldPython() });
    const socket = (environmentOf(worker).DICTLEARN_DATA ?? "").replace("ipc://", "");
    expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700);
    const connect = `require("net").connect(${JSON.stringify(socket)})
      .on("connect", () => console.log("in")).on("error", (error) => console.log(error.code))`;
    const asSelf = spawnSync(process.execPath, ["-e", `${connect}; setTimeout(() => process.exit(), 500)`]);
    expect(asSelf.stdout.toString().trim()).toBe("in");
    // Only root can become another user; the mode, checked above, keeps others out.
    if (process.getuid?.() !== 0) return;
    const asOther = spawnSync(process.execPath, ["-e", connect], { uid: NOBODY, gid: NOBODY, cwd: "/" });
    expect(asOther.stdout.toString().trim()).toBe("EACCES");
    expect(await worker.call("status", {})).toHaveProperty("handles");
  });

  it("over tcp give nothing to a peer without the key, and the worker all", async () => {
    await using worker = await Worker.start({ python: await coldPython(), endpoint: "tcp" });
    const environment = environmentOf(worker);
    expect(environment.DICTLEARN_DATA).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    const command = readFileSync(`/proc/${worker.pid}/cmdline`, "utf8");
    expect(command).not.toContain(environment.DICTLEARN_SERVER_KEY ?? "");
    const own = curveKeyPair();
    const wrongKey = {
      curveServerKey: curveKeyPair().publicKey,
      curvePublicKey: own.publicKey,
      curveSecretKey: own.secretKey,
    };
    for (const options of [{}, wrongKey]) {
      const peer = new Dealer({ linger: 0, receiveTimeout: 700, ...options });
      peer.connect(environment.DICTLEARN_DATA ?? "");
      // Messages that the worker would answer if they came from Node, and Node would accept from the worker.
      void peer.send([encode({ id: 1, method: "status", params: {} })]).catch(() => undefined);
      const calls = Array.from({ length: 20 }, async () => await worker.call("status", {}));
      expect(await rejection(peer.receive())).toMatchObject({ code: "EAGAIN" });
      expect(await Promise.all(calls)).toHaveLength(20);
      peer.close();
    }
    await sleep(50);
    expect(await worker.ping()).toEqual({ busy: null });
  });

  it("are of no other kind", async () => {
    const error = await rejection(Worker.start({ python: await coldPython(), endpoint: "udp" }));
    expect(error.message).toBe("DICTLEARN_ENDPOINT is udp, but must be ipc, tcp or tcp://ADDRESS.");
  });
});
