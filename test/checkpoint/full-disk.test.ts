import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it } from "vitest";
import { path } from "../support.ts";

/** The most blocks of 512 bytes in a file: a longer write is cut short, and the next one fails for lack of space. */
const BLOCKS = 2048;

it("leaves the file that was there when there is room for a part of the new one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dictlearn-test-"));
  const file = join(folder, "config.json");
  writeFileSync(file, "old");
  const script = `
    import { writeFile } from ${JSON.stringify(path("src/checkpoint/index.ts"))};
    process.on("SIGXFSZ", () => {});
    await writeFile(${JSON.stringify(file)}, "new".repeat(100));
    await writeFile(${JSON.stringify(file)}, "é".repeat(${BLOCKS * 512})).catch(({ message }) => console.log(message));`;
  const node = [process.execPath, "--import", "tsx", "--input-type=module", "--eval", script];
  const { stdout } = await execa("sh", ["-c", `ulimit -f ${BLOCKS}; exec "$@"`, "sh", ...node], { cwd: path(".") });
  expect(stdout).toMatch(/^\S+config\.json could not be written: .+\.$/);
  expect(readFileSync(file, "utf8")).toBe("new".repeat(100));
  expect(readdirSync(folder)).toEqual(["config.json"]);
});
