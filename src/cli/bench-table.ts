import prettyBytes from "pretty-bytes";
import prettyMilliseconds from "pretty-ms";
import type { MachineBenchmark, PredictedPart, RunPrediction, SecondsRange, Timing } from "../benchmark/index.ts";
import { aligned } from "./aligned.ts";
import { count, number } from "./format.ts";

/** A machine's measurements, one per line. */
export const machineTable = (machine: MachineBenchmark): string => {
  const { device, kind, threads, versions, start, call, peaks, draw, steps } = machine;
  const gpu = device === "cpu" ? "" : ` (${kind})`;
  const shown = (time: Timing): string[] => [duration(time.seconds), between(time)];
  const rows = [
    ["", "median", "from, to", "", "of the peak"],
    ...(start === null ? [] : [["start, Node and worker", duration(start), "", "", ""]]),
    ["a call, there and back", ...shown(call), "", ""],
    ...peaks.map(({ precision, size, product, flops_per_second }) => [
      `product of ${size} × ${size}, ${precision}`,
      ...shown(product),
      `${number(flops_per_second / 1e9)} GFLOP/s`,
      "",
    ]),
    [
      `draw of ${count(draw.batch)} of ${count(draw.rows)} rows`,
      ...shown(draw.time),
      `${prettyBytes(draw.bytes_per_second)}/s`,
      "",
    ],
    ...steps.map(({ precision, batch, l0, step, share_of_peak }) => [
      `step, ${l0 === null ? "dense" : `L0 ${number(l0)}`}, ${precision}`,
      ...shown(step),
      `${count(batch / step.seconds)} tokens/s`,
      percent(share_of_peak),
    ]),
  ];
  const [first] = steps;
  const sizes =
    first === undefined
      ? ""
      : `\n\nSteps: ${count(first.size)} features of width ${first.width}, ${count(first.batch)} rows.`;
  return `${device}${gpu}, ${threads} threads, torch ${versions.torch}\n\n${aligned(rows)}${sizes}`;
};

/** The predicted time of a run, part by part, and what decides it. */
export const predictionTable = (name: string, prediction: RunPrediction): string => {
  const { device, seconds, parts, dominant, left_out, whole, steps, tokens } = prediction;
  const title = whole
    ? `${name} on ${device}: ${count(steps)} steps, ${count(tokens)} tokens`
    : `${name} on ${device}, until its text ends. Of that, ${count(tokens)} tokens:`;
  const rows = parts.flatMap((part) => [
    [part.name, ...cells(part.seconds), percent(part.seconds.likely / seconds.likely), details(part, prediction)],
    ...(part.name === "steps" ? dictionaryRows(prediction) : []),
  ]);
  const all = [["", "likely", "from, to", "share", ""], ...rows, ["total", ...cells(seconds), "", ""]];
  const widest = Math.max(...all.map((row) => (row.at(-1) ?? "").length));
  const table = aligned(all.map((row) => [...row.slice(0, -1), (row.at(-1) ?? "").padEnd(widest)]));
  return `${title}\n\n${table}\n\n${notes(prediction, dominant, left_out).join("\n")}`;
};

const notes = (
  { measured, seconds }: RunPrediction,
  dominant: PredictedPart["name"],
  left_out: readonly string[],
): string[] => [
  `Most of it goes into ${DOMINANT[dominant]}.`,
  ...(measured.text === null ? [] : [`The text ends after ${count(measured.text)} tokens.`]),
  ...(seconds.high > seconds.low
    ? ["From: as if few features were active from the first step on; to: as if it stayed as in the beginning."]
    : []),
  ...(left_out.length > 0 ? [`Not included: ${left_out.join(", ")}.`] : []),
];

const DOMINANT: Record<PredictedPart["name"], string> = {
  start: "the start: Node, worker, model and text",
  harvest: "running the text through the model",
  draws: "drawing batches",
  steps: "the steps",
  metrics: "the metrics, which a larger log_steps makes fewer",
  evaluation: "the evaluation at the end",
};

/** The measurement of a part, and how often the run repeats it. */
const details = ({ name }: PredictedPart, { measured, counts }: RunPrediction): string => {
  const { harvest, draw, dictionaries, evaluation } = measured;
  switch (name) {
    case "start":
      return "Node, worker, model and text";
    case "harvest":
      if (harvest === null) return "";
      return `${count(counts.buffer?.rows ?? 0)} tokens, ${count(1 / harvest.row)} a second: ${percent(harvest.share_of_peak)} of the peak`;
    case "draws":
      return `${count(counts.batches)} × ${duration(draw.seconds)}`;
    case "steps":
      return dictionaries.length === 1 ? stepDetails(counts, measured, 0) : `${dictionaries.length} dictionaries`;
    case "metrics":
      return `${count(counts.dictionaries.reduce((sum, { logged }) => sum + logged, 0))} looks`;
    case "evaluation":
      return `${count((counts.evaluation?.measured ?? 0) * dictionaries.length)} contexts, ${duration(evaluation?.context ?? 0)} each`;
  }
};

const dictionaryRows = ({ measured, counts }: RunPrediction): string[][] =>
  measured.dictionaries.length === 1
    ? []
    : measured.dictionaries.map(({ name }, index) => [
        "",
        "",
        "",
        "",
        `${name}: ${stepDetails(counts, measured, index)}`,
      ]);

/** "50 × 141 ms dense, 78 % of the peak; 350 × 62 ms at L0 99", or one number where it makes no difference. */
const stepDetails = (counts: RunPrediction["counts"], measured: RunPrediction["measured"], index: number): string => {
  const dictionary = measured.dictionaries[index];
  const times = counts.dictionaries[index];
  if (dictionary === undefined || times === undefined) return "";
  const { dense, sparse, l0, share_of_peak } = dictionary;
  const { steps, dense_steps } = times;
  const beginning = `${count(dense_steps)} × ${duration(dense.seconds)} dense, ${percent(share_of_peak)} of the peak`;
  return dense_steps === steps
    ? beginning
    : `${beginning}; ${count(steps - dense_steps)} × ${duration(sparse.seconds)} at L0 ${number(l0)}`;
};

const cells = (seconds: SecondsRange): [string, string] => [duration(seconds.likely), range(seconds)];

/** 3h 12m, 41.3 s, 85 ms or 170 µs. */
const duration = (seconds: number): string => {
  if (seconds < 1e-3) return `${number(seconds * 1e6)} µs`;
  if (seconds < 1) return `${number(seconds * 1e3)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return prettyMilliseconds(seconds * 1000, { unitCount: 2, secondsDecimalDigits: 0 });
};

const between = ({ fastest, slowest }: Timing): string => `${duration(fastest)}, ${duration(slowest)}`;

const range = ({ low, high }: SecondsRange): string => (low === high ? "" : `${duration(low)}, ${duration(high)}`);

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
