import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { createProgress } from "../../src/cli/dictionary-progress.ts";
import { splitLayers } from "../../src/cli/layers.ts";
import { plainWords } from "../../src/cli/words.ts";
import { setupProgress } from "../../src/environment/progress.ts";

const words = (line: string): string =>
  plainWords(line.split(" "), ["train", "bench", "evaluate"], (message) => {
    throw new Error(message);
  }).join(" ");

it.each([
  ["help", "--help"],
  ["help train", "train --help"],
  ["help train --help", "train --help"],
  ["train -", "train /dev/stdin"],
  ["train --json -- my.yaml", "train --json my.yaml"],
  ["train --", "train"],
  ["train my.yaml --help", "train my.yaml --help"],
  ["--version", "--version"],
])("%s is %s", (typed, plain) => {
  expect(words(typed)).toBe(plain);
});

it.each([
  ["1 0_8192", ["1"], ["0_8192"]],
  ["0 1 0_8192 dictionaries", ["0", "1"], ["0_8192", "dictionaries"]],
  ["0,1 embed", ["0", "1", "embed"], []],
  ["7", ["7"], []],
  ["0_8192", [], ["0_8192"]],
])("--layers %s takes %j and leaves %j", (given, layers, rest) => {
  expect(splitLayers(given.split(" "), [{ name: "0_8192" }, { name: "1_32768" }])).toEqual({ layers, rest });
});

it("a bar says nothing of amounts as long as nobody knows them", () => {
  const terminal = () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120 });
    return { stream, text: () => String(stream.read() ?? "") };
  };
  const setup = terminal();
  const show = setupProgress(setup.stream);
  show({ stage: "Waiting", detail: "for another process", done: 0, total: 0 });
  show({ stage: "Failed", detail: "", done: 0, total: 0 });
  const reading = terminal();
  const progress = createProgress(reading.stream);
  progress.onProgress({ name: "a", stage: "Loading", done: 0, total: 0 });
  progress[Symbol.dispose]();
  for (const text of [setup.text(), reading.text()]) {
    expect(text).toMatch(/for another process|Loading/);
    expect(text).not.toMatch(/0 ?(\/|of) ?0|NaN/);
  }
});
