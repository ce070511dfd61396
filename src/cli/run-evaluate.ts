import { extname, resolve } from "node:path";
import { writeFile, writeJson } from "../checkpoint/index.ts";
import { ConfigError } from "../errors.ts";
import { evaluateFolders } from "../evaluate/evaluate-folders.ts";
import { requireReplaceable } from "../evaluate/own-statistics.ts";
import type { EvaluationChoices } from "../evaluate/plan.ts";
import { type DictionaryOnDisk, dictionariesIn } from "../evaluate/targets.ts";
import { frequencyBars, frequencyPlot, type NamedHistogram, rasterize } from "../report/index.ts";
import { evaluationTable } from "./evaluation-table.ts";
import { requireOutputFile } from "./output-file.ts";
import { withWorker } from "./with-worker.ts";

interface Options {
  readonly paths: readonly string[];
  readonly choices: EvaluationChoices;
  readonly device: string;
  readonly plot?: readonly string[] | undefined;
  /** A file for all evaluations, instead of one next to each dictionary. */
  readonly output?: string | undefined;
  readonly json: boolean;
  readonly python?: string | undefined;
}

/** Evaluates, writes and prints; returns the exit code. */
export const runEvaluate = async (options: Options): Promise<number> => {
  const { paths, choices, device, json, output, plot = [] } = options;
  for (const path of plot) checkPlot(path);
  const dictionaries = dictionariesIn(paths);
  if (output === undefined) for (const each of dictionaries) requireReplaceable(each, choices);
  else checkOutput(output, dictionaries);
  const stopping = "Stopping. What is finished is written.";
  const done = await withWorker({ python: options.python, stopping }, async ({ worker, signal, progress }) => {
    const { onProgress } = progress;
    const results = await evaluateFolders(dictionaries, worker, {
      choices,
      device,
      signal,
      onProgress,
      write: output === undefined,
    });
    progress[Symbol.dispose]();
    const histograms = results.map(({ name, evaluation }) => ({ name, frequencies: evaluation.frequencies }));
    await writePlots(plot, histograms);
    const evaluations = results.map(({ name, weights, subject, evaluation }) => ({
      name,
      weights,
      ...subject,
      ...evaluation,
    }));
    if (output !== undefined) await writeJson(output, { evaluations });
    if (json) process.stdout.write(`${JSON.stringify({ evaluations })}\n`);
    else {
      process.stdout.write(`${evaluationTable(results)}\n\n${frequencyBars(histograms)}\n`);
    }
    return true;
  });
  return done === undefined ? 130 : 0;
};

/** The file of `--output` is not the evaluation.json of one dictionary, so it may not replace one. */
const checkOutput = (path: string, dictionaries: readonly DictionaryOnDisk[]): void => {
  requireOutputFile("--output", path, "other.json");
  const taken = dictionaries.find(({ evaluation }) => resolve(evaluation) === resolve(path));
  if (taken === undefined) return;
  throw new ConfigError(`--output is ${path}, which is for the statistics of ${taken.name}'s own run.`, {
    hint: "Name another file.",
  });
};

const checkPlot = (path: string): void => {
  if (![".svg", ".png"].includes(extname(path))) {
    throw new ConfigError(`--plot is ${path}, but its name must end in .svg or .png.`);
  }
  requireOutputFile("--plot", path, "frequencies.svg");
};

const writePlots = async (paths: readonly string[], histograms: readonly NamedHistogram[]): Promise<void> => {
  if (paths.length === 0) return;
  const svg = await frequencyPlot(histograms);
  for (const path of paths) {
    await writeFile(path, extname(path) === ".png" ? await rasterize(svg) : svg);
  }
};
