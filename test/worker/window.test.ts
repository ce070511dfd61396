import { describe, expect, it } from "vitest";
import { CallWindow, StaleHandleError } from "../../src/worker/index.ts";
import { rejection, startWorker } from "../support.ts";

describe("a window of calls", () => {
  it("runs nothing behind a failure, and throws the failure itself", async () => {
    await using worker = await startWorker();
    const window = new CallWindow(worker, 16);
    const done: number[] = [];
    await window.push("status", {}, () => done.push(0));
    await window.push("release", { handles: [{ id: 99, generation: worker.generation }] });
    await window.push("status", {}, () => done.push(2));
    const error = await rejection(window.drain());
    expect(error).toBeInstanceOf(StaleHandleError);
    expect(done).toEqual([0]);
  });

  it("leaves other calls alone when one fails", async () => {
    await using worker = await startWorker();
    const [failed, fine] = await Promise.allSettled([
      worker.call("release", { handles: [{ id: 99, generation: worker.generation }] }),
      worker.call("status", {}),
    ]);
    expect(failed.status).toBe("rejected");
    expect(fine.status).toBe("fulfilled");
  });

  it("never has more in flight than its depth", async () => {
    await using worker = await startWorker();
    const window = new CallWindow(worker, 3);
    for (let index = 0; index < 50; index++) {
      await window.push("status", {});
      expect(worker.inFlight).toBeLessThanOrEqual(3);
    }
    await window.drain();
    expect(worker.inFlight).toBe(0);
  });
});
