import { expect, it } from "vitest";
import { WorkerDiedError, type WorkerEnd } from "../../src/worker/errors.ts";

const died = (end: Partial<WorkerEnd>) =>
  new WorkerDiedError({ exitCode: null, signal: "SIGABRT", stderr: [], method: "buffer.append", ...end });

const RUST = [
  "memory allocation of 402653184 bytes failed",
  "stack backtrace:",
  "   0: <unknown>",
  "             at ./library/std/src/panicking.rs:697:5",
  "note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.",
];

it("quotes what the process said of its end, not how to see more of it", () => {
  const { message } = died({ stderr: ["a warning", ...RUST] });
  expect(message).toBe(
    "The Python worker ended unexpectedly by signal SIGABRT during buffer.append (memory allocation of 402653184 bytes failed).",
  );
  expect(died({ stderr: RUST.slice(1) }).message).toMatch(/during buffer\.append\.$/);
  expect(died({ stderr: ["Segmentation fault", ""] }).message).toMatch(/\(Segmentation fault\)/);
});

const DEATHS: readonly [string, Partial<WorkerEnd>][] = [
  ["the kernel's killer", { signal: "SIGKILL" }],
  ["Rust", { stderr: RUST }],
  ["C++", { stderr: ["terminate called after throwing an instance of 'std::bad_alloc'", "  what():  std::bad_alloc"] }],
  ["Python", { signal: null, exitCode: 1, stderr: ["MemoryError"] }],
  ["the system", { stderr: ["OSError: [Errno 12] Cannot allocate memory"] }],
];

it.each(DEATHS)("one advice for a death of memory: %s", (_, end) => {
  expect(died(end).hint).toMatch(
    /^The system may have run out of memory: lower buffer\.n_ctxs or buffer\.out_batch_size.*documents/,
  );
  expect(died({ ...end, method: "trace.run" }).hint).toMatch(/memory: lower the number of prompts/);
  expect(died({ ...end, method: "model.load" }).hint).toMatch(/memory: .*model_dtype: bfloat16/);
  expect(died({ ...end, method: "train.steps" }).hint).toMatch(/memory: lower buffer\.out_batch_size/);
});

it("gives that advice for no other death", () => {
  expect(died({ stderr: ["Segmentation fault"] }).hint).toBeUndefined();
  expect(died({ signal: "SIGKILL", hungFor: 1000 }).hint).toMatch(/worker_timeout/);
});
