import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import prettyBytes from "pretty-bytes";
import writeFileAtomic from "write-file-atomic";
import { cannotWrite } from "../checkpoint/cannot-write.ts";
import { ensureEnvironment, setupProgress } from "../environment/index.ts";
import { CancelledError, ConfigError } from "../errors.ts";
import type { EvaluationChoices } from "../evaluate/plan.ts";
import { dictionariesAt } from "../evaluate/targets.ts";
import { createReport, isThere, type ReportData, type ReportOptions } from "../report/index.ts";
import { Worker } from "../worker/index.ts";
import { createProgress } from "./dictionary-progress.ts";
import { count } from "./format.ts";
import { Interrupt } from "./interrupt.ts";

interface Options {
  readonly paths: readonly string[];
  readonly output: string;
  readonly choices: EvaluationChoices;
  readonly amounts: Pick<ReportOptions, "features" | "contexts" | "tokens" | "lossContexts">;
  readonly device: string;
  readonly json: boolean;
  readonly python?: string | undefined;
}

/** Makes the page and writes it; returns the exit code. */
export const runReport = async (options: Options): Promise<number> => {
  const { paths, output, choices, amounts, device, json } = options;
  checkOutput(output);
  // A path without a dictionary is found before Python is started.
  for (const path of paths) dictionariesAt(path);
  let worker: Worker | undefined;
  using interrupt = new Interrupt({
    onFirst: () => process.stderr.write("\nStopping. No page is written.\n"),
    onSecond: () => worker?.kill(),
  });
  const { signal } = interrupt;
  try {
    const environment = await ensureEnvironment({ python: options.python, signal, onProgress: setupProgress() });
    worker = await Worker.start(environment);
    await using closing = worker;
    using progress = createProgress();
    const { onProgress } = progress;
    const { html, data } = await createReport(paths, {
      ...amounts,
      choices,
      device,
      worker: closing,
      signal,
      onProgress,
    });
    progress[Symbol.dispose]();
    await write(output, html);
    process.stdout.write(json ? `${JSON.stringify({ output, ...data })}\n` : `${summary(data, output, html)}\n`);
    return 0;
  } catch (error) {
    if (signal.aborted && error instanceof CancelledError) return 130;
    throw error;
  }
};

const checkOutput = (output: string): void => {
  const folder = dirname(resolve(output));
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new ConfigError(`--output is ${output}, but there is no folder ${folder}.`, {
      hint: "Make the folder first.",
    });
  }
  if (existsSync(output) && statSync(output).isDirectory()) {
    throw new ConfigError(`--output is ${output}, which is a folder, but must be the name of a file.`, {
      hint: "Name a file in it, such as report.html.",
    });
  }
};

const write = async (path: string, html: string): Promise<void> => {
  try {
    await writeFileAtomic(path, html);
  } catch (error) {
    throw cannotWrite(path, error);
  }
};

const summary = ({ dictionaries }: ReportData, output: string, html: string): string => {
  const shown = dictionaries.reduce((sum, { features }) => sum + (isThere(features) ? features.features.length : 0), 0);
  const what = dictionaries.length === 1 ? "1 dictionary" : `${count(dictionaries.length)} dictionaries`;
  return `${output}: ${what}, ${count(shown)} features, ${prettyBytes(Buffer.byteLength(html))}. Open it in a browser.`;
};
