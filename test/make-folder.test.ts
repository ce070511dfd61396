import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DictlearnError } from "../src/errors.ts";
import { makeFolder, requirePlace } from "../src/make-folder.ts";

const folder = mkdtempSync(join(tmpdir(), "dictlearn-test-"));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "file"), "");
symlinkSync(join(folder, "nowhere"), join(folder, "dangling"));
symlinkSync(join(folder, "b"), join(folder, "a"));
symlinkSync(join(folder, "a"), join(folder, "b"));
mkdirSync(join(folder, "real"));
symlinkSync(join(folder, "real"), join(folder, "link"));

/** The error of each of the two for a path. */
const refusals = (path: string): DictlearnError[] =>
  [requirePlace, makeFolder].map((attempt) => {
    try {
      attempt(path);
    } catch (error) {
      if (error instanceof DictlearnError) return error;
      throw error;
    }
    throw new Error(`${path} was made.`);
  });

describe("makeFolder", () => {
  it("makes what is missing, through links too, and returns the topmost folder that it made", () => {
    expect(makeFolder(join(folder, "link", "x", "y"))).toBe(join(folder, "link", "x"));
    expect(existsSync(join(folder, "real", "x", "y"))).toBe(true);
    expect(makeFolder(join(folder, "real", "x", "y"))).toBeUndefined();
    expect(makeFolder("/")).toBeUndefined();
  });

  it.each([
    ["/proc/nowhere/x", "because /proc is no disk"],
    ["/proc/self/x", "because /proc/self is no disk"],
    ["/sys/x/y", "because /sys is no disk"],
    [join(folder, "file", "x", "y"), `because ${join(folder, "file")} is a file`],
    [join(folder, "dangling"), `because ${join(folder, "dangling")} is a link that leads nowhere`],
    [join(folder, "dangling", "x"), `because ${join(folder, "dangling")} is a link that leads nowhere`],
    [join(folder, "a", "x"), "its path is a circle of links"],
    [join(folder, "n".repeat(300)), "its name is too long"],
  ])("ends at %s, with one sentence", (path, words) => {
    for (const error of refusals(path)) {
      expect(error.message).toContain(words);
      expect(error).toMatchObject({ code: "no_place", exitCode: 2, hint: expect.stringContaining("Name a place") });
    }
  });
});
