import { AutoEncoder } from "../../src/dictionary/index.ts";
import { DictlearnError } from "../../src/errors.ts";
import type { Worker } from "../../src/worker/index.ts";

/** An untyped value, as from plain JavaScript. */
export const js = (value: unknown): never => value as never;

/** The error of a call that fails at once or later; for a call that succeeds, its result. */
export const mistakeOf = async (call: () => unknown): Promise<Error> => {
  try {
    const result = await call();
    return new Error(`it gave ${JSON.stringify(result)?.slice(0, 200)}`);
  } catch (error) {
    return error as Error;
  }
};

/** One sentence of ours: no Python error, no wire error, no defect. */
export const isSentence = (error: Error): boolean =>
  error instanceof DictlearnError &&
  !/TypeError|ValueError|RuntimeError|Expected `|at `\$|undefined \(reading|not iterable|is not a function|Cannot read|\n/.test(
    error.message,
  );

/** A fresh dictionary. */
export const dictionaryOf = async (worker: Worker, width: number, size: number): Promise<AutoEncoder> => {
  const { generator } = await worker.call("generator.create", { seed: 0 });
  const shape = { inputWidth: width, outputWidth: width, size, dtype: "float32" as const };
  return await AutoEncoder.create(worker, shape, { device: "cpu", generator });
};
