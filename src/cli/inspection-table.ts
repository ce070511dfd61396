import { LOSS_TITLES, type LossName, type ProbableLoss } from "../checkpoint/probable-loss.ts";
import { count, number } from "./format.ts";
import type { Inspection } from "./run-inspect.ts";

type Row = readonly [name: string, value: string];

/** The findings as a table of two columns, for people. */
export const inspectionTable = (inspection: Inspection): string => {
  const rows = [
    ...filesRows(inspection),
    ...weightsRows(inspection),
    ...statedRows(inspection),
    ...lossRows(inspection),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
};

const filesRows = ({ read: { files, shape, storedDtype } }: Inspection): Row[] => [
  ["format", `${files.format.name}: ${files.format.title}`],
  ["weights", files.weights],
  ["config", files.config === undefined ? "none" : files.configPath],
  ["features", count(shape.size)],
  [
    "width",
    shape.inputWidth === shape.outputWidth ? count(shape.inputWidth) : `${shape.inputWidth} → ${shape.outputWidth}`,
  ],
  ["dtype", storedDtype],
  [
    "subtracted first",
    { none: "the decoder's bias", zero: "nothing", set: "an input bias of its own" }[shape.inputBias],
  ],
];

const weightsRows = ({ weights }: Inspection): Row[] => {
  const range = ({ min, mean, max }: { min: number; mean: number; max: number }): string =>
    `${number(min)} to ${number(max)}, mean ${number(mean)}`;
  const { input_bias_norm } = weights;
  return [
    ["decoder norms", range(weights.decoder_norms)],
    ["encoder norms", range(weights.encoder_norms)],
    ["bias norm", number(weights.bias_norm)],
    ...(input_bias_norm === null ? [] : ([["input bias norm", number(input_bias_norm)]] as const)),
    ["encoder bias", `mean ${number(weights.encoder_bias_mean)}`],
    ["never active", features(weights.silent, "zero encoder row, bias not above zero")],
    ["without effect", features(weights.without_effect, "zero decoder column")],
    ["not finite", features(weights.non_finite, "NaN or infinity")],
    ["shared rows", features(weights.shared_rows, "one encoder row for several, as after the resampling of ddac948")],
  ];
};

const features = (numbers: readonly number[], why: string): string => {
  if (numbers.length === 0) return "none";
  const first = numbers.slice(0, 5).join(", ");
  return `${count(numbers.length)} (${why}): ${first}${numbers.length > 5 ? ", …" : ""}`;
};

const statedRows = ({ read: { provenance } }: Inspection): Row[] => {
  const { model, submodule, io, hookName, hookNameOut, dataset, contextSize, sparsityPenalty, trainer } = provenance;
  const place = submodule ?? hookName;
  const rows: (readonly [string, unknown])[] = [
    ["model", model],
    [
      "place",
      place === undefined ? undefined : `${place}${hookNameOut ? ` → ${hookNameOut}` : ""}${io ? ` (${io})` : ""}`,
    ],
    ["data", dataset],
    ["context", contextSize],
    ["sparsity penalty", sparsityPenalty],
    ["learning rate", trainer?.lr],
    ["steps", trainer?.steps],
    ["resample steps", trainer?.resample_steps],
  ];
  return rows
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => [name, String(value)]);
};

const lossRows = ({ rows }: Inspection): Row[] => {
  if (rows === undefined) return [];
  const { balance, loss } = rows;
  return [
    ["rows", `${count(balance.rows)} of ${rows.path}`],
    ["mse, its root", `${number(balance.mse)}, ${number(Math.sqrt(balance.mse))}`],
    ["L1, L0", `${number(balance.l1)}, ${number(balance.l0)}`],
    ["silent on the rows", count(balance.silent)],
    ...(Object.keys(LOSS_TITLES) as LossName[]).map(
      (name): Row => [`penalty if ${name}`, `${number(loss.penalties[name])}  ${LOSS_TITLES[name]}`],
    ),
    ["probable loss", verdict(loss)],
  ];
};

const verdict = ({ probable, statedPenalty }: ProbableLoss): string => {
  if (statedPenalty === undefined) return "not known: no penalty is stated; give it with --penalty";
  if (probable === undefined) return `none of these: all are far from the stated penalty, ${number(statedPenalty)}`;
  return `${probable}, whose penalty is nearest the stated ${number(statedPenalty)}`;
};
