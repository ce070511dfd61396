import fc from "fast-check";
import { expect, it } from "vitest";
import { parseConfig, resolveRun } from "../../src/config/index.ts";
import { knownPaths } from "../../src/config/schema.ts";
import { ConfigError } from "../../src/errors.ts";

/** Values of every kind, sensible or not. */
const value = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, "", "float32", "l1", "auto", "10m", "exact", "pack", "one", "a.jsonl"),
  fc.integer({ min: -3, max: 100_000 }),
  fc.double(),
  fc.string({ maxLength: 12 }),
  fc.jsonValue({ maxDepth: 2 }),
);

const leaf = (group: string): fc.Arbitrary<string> =>
  fc.constantFrom(
    ...knownPaths()
      .filter((path) => (group === "" ? !path.includes(".") : path.startsWith(`${group}.`)))
      .map((path) => path.slice(path.lastIndexOf(".") + 1)),
    "learning_rate",
    "__proto__",
    "",
  );

/** A group with a good chance of being valid. */
const groupOf = (name: string, right: object): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(right) },
    { weight: 4, arbitrary: fc.dictionary(leaf(name), value, { maxKeys: 3 }).map((more) => ({ ...right, ...more })) },
    { weight: 1, arbitrary: value },
  );

const dictionary = { dictionary_size: 8, submodule: "layers.0" };

const config = fc
  .record({
    root: groupOf("", { dtype: "float32" }),
    source: fc.constantFrom({ activations: "a.safetensors" }, { model: "m", data: "d.jsonl" }, {}),
    buffer: groupOf("buffer", { n_ctxs: 40, ctx_len: 32, out_batch_size: 64 }),
    train: groupOf("train", { steps: 100 }),
    dictionaries: fc.oneof(
      { weight: 6, arbitrary: fc.array(groupOf("dictionaries", dictionary), { minLength: 1, maxLength: 2 }) },
      { weight: 1, arbitrary: value },
    ),
  })
  .map(({ root, source, ...groups }) => ({ ...(root as object), ...source, ...groups }));

const someOverrides = fc.dictionary(
  fc.oneof(fc.constantFrom(...knownPaths(), "dictionaries.0.lr", "dictionaries.9.lr", "train.lr.x"), fc.string()),
  fc.oneof(fc.constantFrom("1", "null", "true", "1e-3", "[1", "{}", "- a"), fc.string()),
  { minKeys: 1, maxKeys: 2 },
);
const overrides = fc.oneof(fc.constant({}), someOverrides);

it("of 2 000 generated configs each is a run, or one sentence that says why it is none", () => {
  let runs = 0;
  let mistakes = 0;
  fc.assert(
    fc.property(config, overrides, (input, given) => {
      try {
        const run = resolveRun(parseConfig(input, { overrides: given }));
        expect(run.dictionaries.length).toBeGreaterThan(0);
        // The resolved config is itself a config, of the same run: this is how a run is resumed.
        expect(resolveRun(parseConfig(run.config))).toEqual(run);
        runs += 1;
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        expect(error.message.length).toBeGreaterThan(10);
        expect(error.exitCode).toBe(2);
        mistakes += 1;
      }
    }),
    { numRuns: 2000, seed: 3 },
  );
  expect(runs).toBeGreaterThan(40);
  expect(mistakes).toBeGreaterThan(200);
});
