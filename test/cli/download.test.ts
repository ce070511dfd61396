import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { writeWeights } from "../published/download-support.ts";
import { serve } from "../published/mirror-server.ts";
import { dictlearn, temporaryFolder } from "./support.ts";

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true }));

it("fetches a released dictionary in its real size, and says where it is and what to do with it", async () => {
  const name = "pythia-70m-deduped/mlp_out_layer1/0_8192/ae.pt";
  await writeWeights({ [join(folder, "mirror", name)]: "" }, 512, 8192);
  await using server = await serve(join(folder, "mirror"));
  const to = join(folder, "here");
  const args = ["download", "0_8192", "--layers", "1", "--to", to, "--mirror", server.url];
  const { exitCode, stdout, stderr } = await dictlearn(args);
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toMatch(/^1 file, 33\.6 MB, in .*\.\nNext: {2}npx dictlearn verify 0_8192 /);
  expect(statSync(join(to, name)).size).toBe(statSync(join(folder, "mirror", name)).size);

  const again = await dictlearn([...args, "--json"]);
  const { files } = JSON.parse(again.stdout) as { files: unknown[] };
  expect(files).toEqual([{ path: join(to, name), bytes: statSync(join(to, name)).size, present: true }]);
});

it.each([
  [["0_8193"], "There is no published set 0_8193."],
  [["0_8192", "--layers", "7"], "The set 0_8192 has no layer or site 7."],
  [["0_8192", "--mirror", "/nowhere/at/all"], "The mirror /nowhere/at/all does not exist."],
])("a mistake is one sentence: %j", async (args, words) => {
  const to = join(folder, "nothing");
  const { exitCode, stderr } = await dictlearn(["download", ...args, "--to", to]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(words);
  expect(() => statSync(to)).toThrow("ENOENT");
});
