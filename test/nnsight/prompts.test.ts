import { expect, it } from "vitest";
import { ConfigError } from "../../src/errors.ts";
import { type Prompts, toPrompts } from "../../src/nnsight/prompts.ts";

it("takes a text, texts, or lists of token ids", () => {
  expect(toPrompts("one")).toEqual({ texts: ["one"], tokens: null });
  expect(toPrompts(["one", "two"])).toEqual({ texts: ["one", "two"], tokens: null });
  expect(toPrompts([[1, 2], [3]])).toEqual({ texts: null, tokens: [[1, 2], [3]] });
});

it.each([
  [""],
  [[]],
  [["one", ""]],
  [[[]]],
  [["one", [1]]],
  [42],
  [undefined],
  [[null]],
  [[1, 2]],
  [[[1.5]]],
  [[["a"]]],
])("%j is one sentence, in plain JavaScript too", (prompts) => {
  expect(() => toPrompts(prompts as unknown as Prompts)).toThrow(ConfigError);
});
