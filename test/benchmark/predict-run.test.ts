import { expect, it } from "vitest";
import { predictRun } from "../../src/benchmark/index.ts";
import { parseConfig, resolveRun } from "../../src/config/index.ts";
import { fromRemote, type Worker } from "../../src/worker/index.ts";
import { rejection } from "../support.ts";

/** A worker with only `call`; a method without an answer runs out of memory. */
const answering = (answers: Readonly<Record<string, unknown>>): Worker =>
  ({
    info: { devices: [{ name: "cpu", kind: "cpu" }] },
    call: async (method: string) => {
      if (method in answers) return answers[method];
      const failure = { code: "out_of_memory", type: "OutOfMemoryError", message: "No room.", hint: null };
      throw fromRemote({ ...failure, traceback: null, data: {} }, method);
    },
  }) as unknown as Worker;

const run = resolveRun(
  parseConfig({ model: "org/name", data: "org/texts", dictionaries: [{ submodule: "a.0", dictionary_size: 8 }] }),
);

it("says which key to lower where the run does not fit into memory", async () => {
  const answers = { configure: {}, "bench.products": { seconds: [1] }, "generator.create": { generator: {} } };
  expect(await rejection(predictRun(run, answering(answers)))).toMatchObject({
    code: "out_of_memory",
    message: "Out of memory during model.load: No room.",
    hint: "Set model_dtype: bfloat16, or name a smaller model.",
  });
});
