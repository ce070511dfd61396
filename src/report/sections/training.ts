import { type Html, html, trusted } from "../html.ts";
import { curvePanel } from "../plots/curve-panel.ts";
import { seriesColour } from "../plots/panel.ts";
import { CURVE_NAMES, type CurveName, type ReportData } from "../report-data.ts";

const TITLES: Readonly<Record<CurveName, string>> = {
  fraction_variance_explained: "Variance explained",
  mse_loss: "Mean square error",
  l0: "L0",
  sparsity_loss: "Sparsity loss",
  dead_features: "Dead features",
  lr: "Learning rate",
};

/** The curves of metrics.jsonl. */
export const trainingSection = async ({ dictionaries }: ReportData): Promise<Html> => {
  const curves = dictionaries.flatMap(({ training, name }, index) =>
    training === null ? [] : [{ index, name, curves: training }],
  );
  const resampled = curves.some(({ curves: each }) => each.resampled.length > 0);
  const panels = await Promise.all(
    CURVE_NAMES.map(async (name) => {
      const plot = await curvePanel(name, TITLES[name], curves);
      return plot === null
        ? null
        : html`<figure class="panel"><span class="panel-title">${TITLES[name]}</span>${trusted(plot)}</figure>`;
    }),
  );
  return html`<section id="training" aria-labelledby="training-title">
<h2 id="training-title">Training</h2>
${
  curves.length === 0
    ? html`<p class="note">No curves: there is no metrics.jsonl beside ${dictionaries.length === 1 ? "the dictionary" : "these dictionaries"}.</p>`
    : html`<p class="about">Each point is one batch of training, as metrics.jsonl has it.${
        resampled ? " Dotted lines: dead features were resampled." : null
      }</p>`
}
${
  curves.length > 1
    ? html`<ul class="legend">${curves.map(
        ({ index, name }) =>
          html`<li><span class="swatch" style="--series: ${seriesColour(index)}">${index + 1}</span> ${name}</li>`,
      )}</ul>`
    : null
}
${curves.length > 0 ? html`<div class="panels">${panels}</div>` : null}
</section>`;
};
