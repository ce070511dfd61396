import { PassThrough } from "node:stream";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { SetupProgress } from "../../src/environment/pip-output.ts";
import { setupProgress } from "../../src/environment/progress.ts";

afterEach(() => {
  vi.useRealTimers();
});

const at = (stage: SetupProgress["stage"], detail: string, done: number): SetupProgress => ({
  stage,
  detail,
  done,
  total: 9,
});
const output = (isTTY: boolean) => {
  const stream = Object.assign(new PassThrough(), { isTTY });
  return { stream, text: () => String(stream.read() ?? "") };
};

describe("setupProgress", () => {
  test("prints a line for each stage, and within one only every few seconds", () => {
    vi.useFakeTimers();
    const { stream, text } = output(false);
    const show = setupProgress(stream);
    expect(text()).toBe("");
    show(at("Creating", "it", 0));
    for (let done = 1; done <= 5; done += 1) show(at(done % 2 === 1 ? "Resolving" : "Downloading", `p${done}`, done));
    vi.advanceTimersByTime(6_000);
    show(at("Downloading", "p6", 6));
    show(at("Ready", "", 0));
    expect(text().split("\n").slice(1)).toEqual([
      "Creating it (0 of 9)",
      "Resolving p1 (1 of 9)",
      "Downloading p6 (6 of 9)",
      "The Python environment is ready.",
      "",
    ]);
  });

  test.each(["Ready", "Failed"] as const)("on a terminal, leaves no timer behind after %s", (end) => {
    vi.useFakeTimers();
    const { stream, text } = output(true);
    const show = setupProgress(stream);
    show(at("Downloading", "torch", 3));
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    vi.advanceTimersByTime(1_000);
    expect(text()).toContain("3/9 Downloading torch");
    show(at(end, "", 0));
    expect(vi.getTimerCount()).toBe(0);
  });
});
