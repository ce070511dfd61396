import type { ResolvedRun } from "../config/index.ts";
import type { Evaluation } from "../evaluate/index.ts";
import { shellQuoted } from "../shell-quoted.ts";
import type { RunResult, StepMetrics } from "../train/index.ts";
import { count, number } from "./format.ts";

/** The statistics of a step on one line. */
export const metricsLine = (metrics: StepMetrics): string =>
  [
    `mse ${number(metrics.mse_loss)}`,
    `sparsity ${number(metrics.sparsity_loss)}`,
    `L0 ${number(metrics.l0)}`,
    `explained ${number(metrics.fraction_variance_explained * 100)} %`,
    `dead ${count(metrics.dead_features)}`,
  ].join(" · ");

/** The headline numbers of an evaluation on one line. */
const evaluationLine = ({ statistics, tokens }: Evaluation): string => {
  const value = (name: keyof Evaluation["statistics"], scale = 1) =>
    number((statistics[name]?.value ?? Number.NaN) * scale);
  const recovered =
    statistics.loss_recovered_zero === undefined ? [] : [`loss recovered ${value("loss_recovered_zero", 100)} %`];
  return [
    ...recovered,
    `L0 ${value("l0")}`,
    `explained ${value("fraction_variance_explained", 100)} %`,
    `alive ${value("alive", 100)} %`,
    `${count(tokens)} tokens`,
  ].join(" · ");
};

/** The closing summary of a run: the files written, their paths, and the next commands to try. */
export const summary = (
  run: ResolvedRun,
  result: RunResult,
  {
    last,
    evaluations,
  }: { readonly last: ReadonlyMap<string, StepMetrics>; readonly evaluations: ReadonlyMap<string, Evaluation> },
): string => {
  const lines: string[] = [];
  for (const [index, { name, dictionary_size }] of run.dictionaries.entries()) {
    const metrics = last.get(name);
    lines.push(
      `  ${name}: ${count(dictionary_size)} features${metrics === undefined ? "" : ` · ${metricsLine(metrics)}`}`,
    );
    const evaluation = evaluations.get(name);
    if (evaluation !== undefined) lines.push(`    on text it was not trained on: ${evaluationLine(evaluation)}`);
    const folder = result.folders[index];
    if (folder !== undefined) lines.push(`    ${folder}`);
  }
  return `${headline(result)}\n${lines.join("\n")}\n${next(run, result)}`;
};

const headline = ({ reason, steps, tokens }: RunResult): string => {
  const done = `${count(steps)} ${steps === 1 ? "step" : "steps"} on ${count(tokens)} tokens`;
  if (reason === "interrupted") return `Stopped after ${done}; the weights are in checkpoints/.`;
  if (reason === "exhausted") return `The text ended after ${done}.`;
  return `Done: ${done}.`;
};

const next = (run: ResolvedRun, { reason, folders }: RunResult): string => {
  const folder = folders[0] ?? "";
  if (reason === "interrupted") {
    return run.config.resume === "off"
      ? "Run the same command again with --overwrite to start anew."
      : `Continue it with:  npx dictlearn train --resume ${shellQuoted(run.config.output)}`;
  }
  const penalty = 2 * (run.dictionaries[0]?.train.sparsity_penalty ?? run.config.train.sparsity_penalty);
  // Cached rows have no text to show features in.
  const look =
    run.config.activations === null ? `Look:    npx dictlearn report ${shellQuoted(run.config.output)}\n` : "";
  return `${look}Use it:  import { AutoEncoder } from "dictlearn"  →  AutoEncoder.load(${JSON.stringify(`${folder}/ae.pt`)})
Next:    the same command with --train.sparsity_penalty ${penalty} --output ${shellQuoted(`${run.config.output}-sparser`)}`;
};
