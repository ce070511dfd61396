import { execa } from "execa";
import { expect, it } from "vitest";
import { TINY } from "./cli/support.ts";
import { path, python } from "./support.ts";

it("examples/train-from-code.ts trains, and checks what it made", async () => {
  const args = ["--import", "tsx", path("examples/train-from-code.ts"), TINY, "gpt_neox.layers[1].mlp"];
  const { stdout, stderr, exitCode } = await execa(process.execPath, args, {
    reject: false,
    env: { DICTLEARN_PYTHON: await python(), OMP_NUM_THREADS: "1" },
  });
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toMatch(/step 1: mean square error \d/);
  expect(stdout).toMatch(/of 512 features are active/);
});
