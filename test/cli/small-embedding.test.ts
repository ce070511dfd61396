import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { dictlearn, TINY, temporaryFolder, tinyRun, writeConfig } from "./support.ts";

const folder = temporaryFolder();
const model = join(folder, "model");
/** The number of rows of tiny-neox's embedding: the first id outside it. */
const ROWS = 264;

/** Tiny-neox with a pad token that was added without enlarging the model. */
const addPadToken = (): void => {
  cpSync(TINY, model, { recursive: true });
  const edit = (name: string, change: (json: Record<string, unknown>) => object): void => {
    const json = JSON.parse(readFileSync(join(model, name), "utf8")) as Record<string, unknown>;
    writeFileSync(join(model, name), JSON.stringify({ ...json, ...change(json) }));
  };
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  edit("tokenizer.json", (json) => {
    // The library numbers added tokens without gaps.
    const added = [...(json.added_tokens as { id: number }[])];
    for (let id = Math.max(...added.map((token) => token.id)) + 1; id <= ROWS; id++) {
      added.push({ id, content: id === ROWS ? "[PAD]" : `[${id}]`, ...flags } as { id: number });
    }
    return { added_tokens: added };
  });
  edit("tokenizer_config.json", () => ({ pad_token: "[PAD]" }));
};

it("a pad token without a row in the embedding pads, is named before the run, and refused in a text", async () => {
  addPadToken();
  const data = join(folder, "a.jsonl");
  const lines = ["one", "two and three", "a longer text of several words"].map((text) => JSON.stringify({ text }));
  writeFileSync(data, `${lines.join("\n")}\n`.repeat(40));
  const run = { ...tinyRun, model, data, buffer: { ...tinyRun.buffer, contexts: "truncate" }, train: { steps: 3 } };
  const notice = /embedding has no row for the tokenizer's \[PAD\]: a text that holds such a token is refused/;
  const trained = await dictlearn(["train", writeConfig(run).file]);
  expect(trained.stderr).toMatch(notice);
  expect(trained.exitCode, trained.stderr).toBe(0);
  writeFileSync(data, `${JSON.stringify({ text: "one [PAD] two" })}\n`.repeat(40));
  const dry = await dictlearn(["train", writeConfig(run).file, "--dry-run"]);
  expect(dry.stdout).toMatch(notice);
  const refused = await dictlearn(["train", writeConfig(run).file]);
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toMatch(/dictlearn: The text .*\[PAD\].* holds the token '\[PAD\]' with the id 264/);
  expect(refused.stderr).not.toMatch(/Traceback|IndexError/);
});
