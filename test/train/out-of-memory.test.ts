import { expect, it } from "vitest";
import { parseConfig } from "../../src/config/index.ts";
import { DictlearnError } from "../../src/errors.ts";
import { explainOutOfMemory } from "../../src/train/out-of-memory.ts";
import { fromRemote } from "../../src/worker/index.ts";

const least = { model: "m", data: "d", dictionaries: [{ submodule: "a.0", dictionary_size: 8 }] };

const failure = (code: string, method: string, hint: string | null = null) =>
  fromRemote({ code, type: "OutOfMemoryError", message: "No room.", hint, traceback: null, data: {} }, method);

const hintFor = (method: string, buffer: object = {}): string | undefined => {
  const explained = explainOutOfMemory(failure("out_of_memory", method), parseConfig({ ...least, buffer }));
  expect(explained).toBeInstanceOf(DictlearnError);
  return (explained as DictlearnError).hint;
};

it("names the key to lower and a size to try", () => {
  expect(hintFor("model.load")).toBe("Set model_dtype: bfloat16, or name a smaller model.");
  expect(hintFor("buffer.create", { n_ctxs: 901 })).toBe("Lower buffer.n_ctxs, to 450 for example.");
  expect(hintFor("buffer.create", { n_ctxs: 1, out_batch_size: 1, device: "cuda" })).toBe(
    "Lower buffer.n_ctxs, to 1 for example, or set buffer.device: cpu.",
  );
  expect(hintFor("bench.rows", { n_ctxs: 901 })).toBe("Lower buffer.n_ctxs, to 450 for example.");
  for (const method of ["train.steps", "trainee.create", "source.mean_square_norm", "bench.sparsify"]) {
    expect(hintFor(method)).toBe("Lower buffer.out_batch_size, to 4096 for example, or dictionary_size.");
  }
});

it("leaves everything else as it is", () => {
  const config = parseConfig(least);
  const others = [
    failure("out_of_memory", "state.load"),
    failure("out_of_memory", "train.steps", "A hint of its own."),
    failure("non_finite_loss", "train.steps"),
    new Error("A defect."),
  ];
  for (const error of others) expect(explainOutOfMemory(error, config)).toBe(error);
});
