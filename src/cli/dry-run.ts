import prettyBytes from "pretty-bytes";
import { stringify } from "yaml";
import { OutputFolder } from "../checkpoint/index.ts";
import { type Estimate, notices, type ResolvedRun, requireAvailable } from "../config/index.ts";
import { ensureEnvironment, setupProgress } from "../environment/index.ts";
import { examineRun, type RunFlops } from "../train/index.ts";
import { Worker } from "../worker/index.ts";
import { count } from "./format.ts";

/** Prints the resolved run and its needs, then throws if it cannot fit. Writes only the model's cache. */
export const dryRun = async (
  run: ResolvedRun,
  options: { readonly json: boolean; readonly overwrite: boolean; readonly python?: string | undefined },
): Promise<void> => {
  requireAvailable(run);
  OutputFolder.check(run.config.output, options);
  const environment = await ensureEnvironment({ python: options.python, onProgress: setupProgress() });
  await using worker = await Worker.start(environment);
  const { estimate, flops, notices: found, misfit } = await examineRun(run, worker);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ run: run.config, estimate, flops })}\n`);
  } else {
    const lines = [
      ...[...notices(run), ...found].map((notice) => `# ${notice}`),
      ...describe(estimate),
      flopsLine(flops),
    ];
    process.stdout.write(`${stringify(run.config)}\n${lines.join("\n")}\n`);
  }
  if (misfit !== undefined) throw misfit;
};

const flopsLine = ({ model, model_per_token, model_tokens, dictionaries, total }: RunFlops): string => {
  if (model === null || total === null || dictionaries === null) {
    return `FLOPs         ${power(model_per_token)} of the model for each token, and so on until the text ends`;
  }
  const each =
    model === 0
      ? ""
      : `${power(model)} of the model, ${power(model_per_token)} for each of ${count(model_tokens ?? 0)} tokens; `;
  return `FLOPs         ${power(total)} (${each}${power(dictionaries)} of the dictionaries)`;
};

/** 1.23e17. */
const power = (value: number): string => value.toExponential(2).replace("e+", "e");

const describe = (estimate: Estimate): string[] => [
  `steps         ${estimate.steps === null ? "until the text ends" : count(estimate.steps)}`,
  `tokens        ${estimate.tokens === null ? "until the text ends" : count(estimate.tokens)}`,
  `buffer        ${prettyBytes(estimate.buffer)}`,
  `dictionaries  ${prettyBytes(estimate.dictionaries)}`,
  `gradients     ${prettyBytes(estimate.gradients)}`,
  `optimisers    ${prettyBytes(estimate.optimisers)}`,
  `features      ${prettyBytes(estimate.features)} for one batch`,
  `resume        ${prettyBytes(estimate.state)} for one state`,
  `memory        ${prettyBytes(estimate.memory)} besides the model`,
  `disk          ${prettyBytes(estimate.disk)}${estimate.checkpoints === null ? " and more, until the text ends" : ""}`,
];
