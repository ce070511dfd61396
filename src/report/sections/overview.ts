import type { StatisticName } from "../../evaluate/statistics.ts";
import { count, range, shortName, statistic } from "../format.ts";
import { type Html, html } from "../html.ts";
import { seriesColour } from "../plots/panel.ts";
import { isThere, type ReportData, type ReportedDictionary } from "../report-data.ts";
import { measuredOn } from "./measured-on.ts";

type Name = StatisticName | "alive";

interface Headline {
  readonly name: Name;
  readonly label: string;
  readonly meaning: string;
  readonly percent: boolean;
}

/** The four numbers that a dictionary is judged by first. */
const HEADLINES: readonly Headline[] = [
  {
    name: "loss_recovered_zero",
    label: "Loss recovered",
    meaning: "of what zero ablation costs the model",
    percent: true,
  },
  { name: "l0", label: "L0", meaning: "features that fire for each token", percent: false },
  { name: "fraction_variance_explained", label: "Variance explained", meaning: "of the activations", percent: true },
  { name: "alive", label: "Alive", meaning: "of the features fire at all", percent: true },
];

/** The report's subject and its headline numbers. */
export const overview = ({ dictionaries }: ReportData): Html => {
  const [first] = dictionaries;
  const models = [...new Set(dictionaries.flatMap(({ model }) => (model === null ? [] : [model])))];
  const model = models.length === 1 ? models[0] : undefined;
  const alone = dictionaries.length === 1 && first !== undefined;
  const measured = measuredOn(dictionaries.flatMap(({ evaluation }) => (isThere(evaluation) ? [evaluation] : [])));
  return html`<section id="overview" aria-labelledby="title">
<p class="kicker">${alone ? "Sparse dictionary" : "Sparse dictionaries"}</p>
<h1 id="title">${alone ? first.name : `${count(dictionaries.length)} dictionaries, side by side`}</h1>
<p class="lead">${alone ? describe(first) : null}${
    model !== undefined &&
    html`${alone ? " of " : "Read from "}<span class="nowrap" title="${model}">${shortName(model)}</span>`
  }${alone || model !== undefined ? "." : null}</p>
${alone ? cards(first) : table(dictionaries)}
${measured === null ? null : html`<p class="about">${measured}</p>`}
</section>`;
};

const describe = ({ size, inputWidth, outputWidth, submodule, io }: ReportedDictionary): Html => {
  const widths = inputWidth === outputWidth ? count(inputWidth) : `${count(inputWidth)} → ${count(outputWidth)}`;
  const side = { out: "the output of ", in: "the input of ", in_to_out: "the way from input to output of " };
  return html`${count(size)} features for ${widths} coordinates${
    submodule !== null && html`: ${side[io ?? "out"]}<code>${submodule}</code>`
  }`;
};

const cards = ({ evaluation }: ReportedDictionary): Html => {
  if (!isThere(evaluation)) return html`<p class="note">No statistics: ${evaluation.whyNot}</p>`;
  const { statistics } = evaluation;
  return html`<dl class="cards">${HEADLINES.flatMap(({ name, label, meaning, percent }) => {
    const found = statistics[name];
    if (found === undefined) return [];
    return [
      html`<div class="card"><dt>${label}</dt><dd><strong>${statistic(found.value, percent)}</strong><span class="interval">${range(found.interval, percent)}</span><span class="meaning">${meaning}</span></dd></div>`,
    ];
  })}</dl>`;
};

/** One line for each dictionary; its colour and number are those of the plots. */
const table = (
  dictionaries: readonly ReportedDictionary[],
): Html => html`<div class="scroll" tabindex="0" role="region" aria-label="The dictionaries"><table class="set">
<thead><tr><th scope="col">Dictionary</th><th scope="col">Features</th>${HEADLINES.map(
  ({ label, meaning }) => html`<th scope="col" title="${meaning}">${label}</th>`,
)}</tr></thead>
<tbody>${dictionaries.map(
  ({ name, size, evaluation }, index) =>
    html`<tr><th scope="row"><span class="swatch" style="--series: ${seriesColour(index)}">${index + 1}</span> ${name}</th><td>${count(size)}</td>${
      isThere(evaluation)
        ? HEADLINES.map(({ name: key, percent }) => {
            const found = evaluation.statistics[key];
            return html`<td>${found === undefined ? "–" : statistic(found.value, percent)}</td>`;
          })
        : html`<td colspan="${HEADLINES.length}" class="why">${evaluation.whyNot}</td>`
    }</tr>`,
)}</tbody></table></div>`;
