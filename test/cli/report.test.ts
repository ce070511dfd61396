import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeDictionaries } from "../evaluate/support.ts";
import { path, python } from "../support.ts";
import { dictlearn, GOLDEN, TINY, temporaryFolder } from "./support.ts";

/** A folder with a file named like a dictionary's: it is read only after all other checks. */
const folder = temporaryFolder();
const weights = join(folder, "ae.pt");
writeFileSync(weights, "");

describe("dictlearn report", () => {
  it.each([
    ["a path that is not there", ["nowhere"], /There is no file or folder nowhere\./],
    ["a number of features that is none", [folder, "--features", "some"], /--features is some, but must be a whole/],
    ["numbers of features that are none", [folder, "--add-features", "1,two"], /--add-features is two, but must be/],
    ["no feature at all", [folder, "--features", "0"], /--features is 0, but must be a whole number of at least 1/],
    ["an output in no folder", [folder, "--output", join(folder, "no", "r.html")], /there is no folder .*no\./],
    ["an output that is a folder", [folder, "--output", folder], /is a folder, but must be the name of a file/],
  ])("says what is wrong with %s, before Python is started", async (_, args, says) => {
    const { exitCode, stderr, stdout } = await dictlearn(["report", ...args], { DICTLEARN_PYTHON: "/no/python" });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(says);
    expect(existsSync("report.html")).toBe(false);
  });

  it("leaves no half page at Ctrl-C, and the page of before as it was", async () => {
    const { identity } = await makeDictionaries({ identity: ["identity", 32, 0] });
    const output = join(folder, "pages");
    mkdirSync(output);
    const [page, data] = [join(output, "report.html"), join(folder, "long.jsonl")];
    writeFileSync(page, "the page of before");
    writeFileSync(data, readFileSync(join(GOLDEN, "texts.jsonl"), "utf8").repeat(50));
    const on = ["--model", TINY, "--submodule", "gpt_neox.layers.0.mlp", "--data", data, "--device", "cpu"];
    const args = ["report", identity, "--output", page, ...on, "--tokens", "100000000"];
    const child = spawn(process.execPath, ["--import", "tsx", path("src/cli/main.ts"), ...args], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, DICTLEARN_PYTHON: await python(), OMP_NUM_THREADS: "1" },
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      if (stderr.includes("Reading activations") && !stderr.includes("Stopping")) child.kill("SIGINT");
    });
    const [code] = await once(child, "exit");
    expect(code, stderr).toBe(130);
    expect(readdirSync(output)).toEqual(["report.html"]);
    expect(readFileSync(page, "utf8")).toBe("the page of before");
  });
});
