import { describe, expect, it } from "vitest";
import { WorkerProcess, waiting } from "../../src/worker/process.ts";

describe("how the worker's threads wait", () => {
  it("is set for the worker, and left to a user who sets it", async () => {
    const print = ["-e", "console.error(process.env.GOMP_SPINCOUNT, process.env.GREETING)"];
    const child = new WorkerProcess(process.execPath, {}, { command: print, environment: { GREETING: "hello" } });
    expect(await child.ended).toEqual({ exitCode: 0, signal: null });
    await expect.poll(() => child.stderr).toEqual(["12000 hello"]);

    expect(waiting({ HOME: "/" })).toEqual({ HOME: "/", GOMP_SPINCOUNT: "12000" });
    expect(waiting({ GOMP_SPINCOUNT: "7" })).toEqual({ GOMP_SPINCOUNT: "7" });
    expect(waiting({ OMP_WAIT_POLICY: "active" })).toEqual({ OMP_WAIT_POLICY: "active" });
  });
});
