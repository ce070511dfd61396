import prettyBytes from "pretty-bytes";
import { writeFile } from "../checkpoint/index.ts";
import { CancelledError } from "../errors.ts";
import type { EvaluationChoices } from "../evaluate/plan.ts";
import { dictionariesIn } from "../evaluate/targets.ts";
import { createReport, isThere, type ReportData, type ReportOptions } from "../report/index.ts";
import { count } from "./format.ts";
import { requireOutputFile } from "./output-file.ts";
import { withWorker } from "./with-worker.ts";

interface Options {
  readonly paths: readonly string[];
  readonly output: string;
  readonly choices: EvaluationChoices;
  readonly amounts: Pick<ReportOptions, "features" | "addFeatures" | "contexts" | "tokens" | "lossContexts">;
  readonly device: string;
  readonly json: boolean;
  readonly python?: string | undefined;
}

/** Creates the page and writes it; returns the exit code. */
export const runReport = async (options: Options): Promise<number> => {
  const { paths, output, choices, amounts, device, json } = options;
  requireOutputFile("--output", output, "report.html");
  // A path without a dictionary is found before Python is started.
  dictionariesIn(paths);
  const stopping = "Stopping. No page is written.";
  const report = await withWorker({ python: options.python, stopping }, async ({ worker, signal, progress }) => {
    const { onProgress } = progress;
    const made = await createReport(paths, { ...amounts, choices, device, worker, signal, onProgress });
    if (signal.aborted) throw new CancelledError();
    return made;
  });
  if (report === undefined) return 130;
  const { html, data } = report;
  await writeFile(output, html);
  process.stdout.write(json ? `${JSON.stringify({ output, ...data })}\n` : `${summary(data, output, html)}\n`);
  return 0;
};

const summary = ({ dictionaries }: ReportData, output: string, html: string): string => {
  const shown = dictionaries.reduce((sum, { features }) => sum + (isThere(features) ? features.features.length : 0), 0);
  const what = dictionaries.length === 1 ? "1 dictionary" : `${count(dictionaries.length)} dictionaries`;
  return `${output}: ${what}, ${count(shown)} features, ${prettyBytes(Buffer.byteLength(html))}. Open it in a browser.`;
};
