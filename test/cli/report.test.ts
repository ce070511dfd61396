import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { dictlearn, temporaryFolder } from "./support.ts";

/** A folder with a file that has the name of a dictionary's: it is not read before everything else is in order. */
const folder = temporaryFolder();
const weights = join(folder, "ae.pt");
writeFileSync(weights, "");

describe("dictlearn report", () => {
  it.each([
    ["a path that is not there", ["nowhere"], /There is no file or folder nowhere\./],
    ["a number of features that is none", [folder, "--features", "some"], /--features is some, but must be a whole/],
    ["no feature at all", [folder, "--features", "0"], /--features is 0, but must be a whole number of at least 1/],
    ["an output in no folder", [folder, "--output", join(folder, "no", "r.html")], /there is no folder .*no\./],
    ["an output that is a folder", [folder, "--output", folder], /is a folder, but must be the name of a file/],
  ])("says what is wrong with %s, before Python is started", async (_, args, says) => {
    const { exitCode, stderr, stdout } = await dictlearn(["report", ...args], { DICTLEARN_PYTHON: "/no/python" });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(says);
    expect(existsSync("report.html")).toBe(false);
  });
});
