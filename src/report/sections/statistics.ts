import { type FrequencyHistogram, STATISTIC_LABELS } from "../../evaluate/index.ts";
import { count, range, statistic } from "../format.ts";
import { type Html, html, trusted } from "../html.ts";
import { frequencyPanel, highestShare } from "../plots/frequency-panel.ts";
import { describeShares } from "../plots/frequency-plot.ts";
import { seriesColour } from "../plots/panel.ts";
import { recoveredPlot } from "../plots/recovered-plot.ts";
import { type Evaluated, isThere, type ReportData } from "../report-data.ts";
import { measuredOn } from "./measured-on.ts";

interface Row {
  readonly index: number;
  readonly name: string;
  readonly evaluation: Evaluated;
}

/** Every statistic with its interval, L0 against loss recovered for a set, and how often features fire. */
export const statisticsSection = async ({ dictionaries }: ReportData): Promise<Html> => {
  const rows = dictionaries.flatMap(({ name, evaluation }, index): Row[] =>
    isThere(evaluation) ? [{ index, name, evaluation }] : [],
  );
  return html`<section id="statistics" aria-labelledby="statistics-title">
<h2 id="statistics-title">Statistics</h2>
${rows.length === 0 ? html`<p class="note">There are none: no dictionary of this report could be evaluated.</p>` : null}
${rows.length > 0 ? html`<p class="about">${measuredOn(rows.map(({ evaluation }) => evaluation))} Ranges are 95 % confidence intervals, from a bootstrap over contexts.</p>` : null}
${
  rows.length > 0
    ? html`<div class="beside">${table(rows)}<div>${await recovered(rows)}<h3>How often features fire</h3><div class="panels">${await frequencies(rows)}</div></div></div>`
    : null
}
</section>`;
};

const table = (rows: readonly Row[]): Html => {
  const several = rows.length > 1;
  const kept = STATISTIC_LABELS.filter(([name]) =>
    rows.some(({ evaluation }) => evaluation.statistics[name] !== undefined),
  );
  return html`<div class="scroll" tabindex="0" role="region" aria-label="All statistics"><table class="statistics">
<thead><tr><th scope="col"><span class="hidden">Statistic</span></th>${
    several
      ? rows.map(
          ({ index, name }) =>
            html`<th scope="col" title="${name}"><span class="swatch" style="--series: ${seriesColour(index)}">${index + 1}</span><span class="hidden">${name}</span></th>`,
        )
      : html`<th scope="col">Value</th><th scope="col">95 % interval</th><th scope="col">Tokens</th>`
  }</tr></thead>
<tbody>${kept.map(
    ([name, label, percent]) =>
      html`<tr><th scope="row">${label}</th>${rows.map(({ evaluation: { statistics } }) => {
        const found = statistics[name];
        if (found === undefined) return html`<td>–</td>`;
        return several
          ? html`<td>${statistic(found.value, percent)}<small>${range(found.interval, percent)}</small></td>`
          : html`<td>${statistic(found.value, percent)}</td><td class="soft">${range(found.interval, percent)}</td><td class="soft">${count(found.tokens)}</td>`;
      })}</tr>`,
  )}</tbody></table></div>`;
};

const recovered = async (rows: readonly Row[]): Promise<Html | null> => {
  const points = rows.flatMap(({ index, name, evaluation: { statistics } }) => {
    const { l0, loss_recovered_zero: loss } = statistics;
    if (l0 === undefined || loss === undefined || !Number.isFinite(loss.value) || !(l0.value > 0)) return [];
    return [
      { index, name, l0: l0.value, recovered: loss.value, l0Interval: l0.interval, recoveredInterval: loss.interval },
    ];
  });
  if (points.length < 2) return null;
  return html`<h3>What sparsity costs</h3><figure class="panel wide">${trusted(
    await recoveredPlot(points),
  )}<figcaption>L0 against the loss recovered, with 95 % intervals. Fewer features at the same loss is better: up and to the left.</figcaption></figure>`;
};

const frequencies = async (rows: readonly Row[]): Promise<Html[]> => {
  const highest = highestShare(rows.map(({ evaluation }) => evaluation.frequencies));
  const several = rows.length > 1;
  return await Promise.all(
    rows.map(async ({ index, name, evaluation: { frequencies: histogram } }) => {
      const plot = trusted(await frequencyPanel(histogram, { index, highest }));
      return html`<figure class="panel">${
        several &&
        html`<span class="panel-title"><span class="swatch" style="--series: ${seriesColour(index)}">${index + 1}</span> ${name}</span>`
      }${plot}<figcaption>${caption(histogram)}</figcaption></figure>`;
    }),
  );
};

const caption = (histogram: FrequencyHistogram): string => describeShares(histogram);
