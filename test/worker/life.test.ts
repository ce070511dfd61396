import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CancelledError } from "../../src/errors.ts";
import { ofOneVersion } from "../../src/worker/errors.ts";
import {
  ProtocolMismatchError,
  StaleHandleError,
  Worker,
  WorkerDiedError,
  WorkerStartError,
} from "../../src/worker/index.ts";
import { alive, path, python, rejection, runScript, startFake, startWorker } from "../support.ts";

describe("a worker's life", () => {
  it("says what it is, and is gone after close", async () => {
    const worker = await startWorker();
    expect(worker.info.versions.torch).toMatch(/^2\.13\.0/);
    expect(worker.info.devices[0]?.name).toBe("cpu");
    expect(alive(worker.pid)).toBe(true);
    await worker.close();
    expect(alive(worker.pid)).toBe(false);
    expect(await rejection(worker.call("status", {}))).toBeInstanceOf(CancelledError);
  });

  it("answers a ping and refuses a stale handle", async () => {
    await using worker = await startWorker();
    expect(await worker.ping()).toEqual({ busy: null });
    const error = await rejection(worker.call("release", { handles: [{ id: 99, generation: worker.generation }] }));
    expect(error).toBeInstanceOf(StaleHandleError);
    // As if a dictionary and a model were loaded into separate workers.
    const others = { handles: [{ id: 1, generation: worker.generation + 1 }] };
    expect(await rejection(worker.call("release", others))).toMatchObject({
      code: "stale_handle",
      message: "Handle 1 is of another Python worker than this one.",
      hint: expect.stringContaining("{ worker: model.worker }"),
    });
  });

  it("keeps a seed above 2³² whole", async () => {
    await using worker = await startWorker();
    const { generator } = await worker.call("generator.create", { seed: 2 ** 47 + 1 });
    expect(generator.generation).toBe(worker.generation);
  });

  it("reports a crash within a second, with exit code, last words and method", async () => {
    await using worker = await startFake("crashes");
    const started = performance.now();
    const error = await rejection(worker.call("status", {}));
    expect(performance.now() - started).toBeLessThan(1000);
    expect(error).toBeInstanceOf(WorkerDiedError);
    expect(error.message).toBe(
      "The Python worker ended unexpectedly with exit code 7 during status (Fatal: the device fell off the bus).",
    );
  });

  it("rejects everything in flight when it is killed", async () => {
    await using worker = await startFake("hangs");
    const calls = [rejection(worker.call("status", {})), rejection(worker.call("status", {}))];
    process.kill(worker.pid, "SIGKILL");
    for (const error of await Promise.all(calls)) {
      expect(error).toBeInstanceOf(WorkerDiedError);
      expect((error as WorkerDiedError).end.signal).toBe("SIGKILL");
    }
  });

  it("ends one that hangs and ignores SIGTERM", async () => {
    const worker = await startFake("hangs");
    const call = rejection(worker.call("status", {}));
    await worker.close();
    expect(alive(worker.pid)).toBe(false);
    expect(await call).toBeInstanceOf(CancelledError);
  });

  it("refuses one that speaks another protocol, and names the interpreter", async () => {
    const error = await rejection(startFake("wrong-version"));
    expect(error).toBeInstanceOf(ProtocolMismatchError);
    expect(error.message).toContain("speaks protocol 0123456789abcdef");
    // This is a checkout; a package has no sources to build from.
    expect(error).toMatchObject({ code: "protocol_mismatch", hint: expect.stringContaining("`npm run build`") });
    expect(ofOneVersion(false)).toMatch(/^Reinstall dictlearn/);
  });

  it("turns an answer that is no message into one error", async () => {
    await using worker = await startFake("garbage");
    expect(await rejection(worker.call("status", {}))).toBeInstanceOf(ProtocolMismatchError);
  });

  it("says which interpreter could not be started", async () => {
    const error = await rejection(Worker.start({ python: "/nowhere/python" }));
    expect(error).toBeInstanceOf(WorkerStartError);
    expect(error.message).toContain("/nowhere/python");
    expect(existsSync("/nowhere")).toBe(false);
  });

  it("keeps Node up while it has a call to answer, not when it was left open, and leaves nothing behind", async () => {
    const temporary = mkdtempSync(join(tmpdir(), "dictlearn-test-"));
    try {
      const script = `
        import { Worker } from ${JSON.stringify(path("src/worker/index.ts"))};
        const worker = await Worker.start({ python: ${JSON.stringify(await python())} });
        await worker.call("status", {});
        worker.call("generator.create", { seed: 1 }).then(() => console.log(worker.pid));
      `;
      const pid = Number(await runScript(script, { TMPDIR: temporary }));
      expect(pid).toBeGreaterThan(0);
      await expect.poll(() => alive(pid)).toBe(false);
      expect(readdirSync(temporary).filter((name) => name.startsWith("dictlearn-"))).toEqual([]);
    } finally {
      rmSync(temporary, { recursive: true });
    }
  });
});
