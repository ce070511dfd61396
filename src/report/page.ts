import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { embeddedJson, type Html, html, trusted } from "./html.ts";
import { packReport } from "./pack.ts";
import type { ReportData } from "./report-data.ts";
import { configSection } from "./sections/config.ts";
import { featuresSection } from "./sections/features.ts";
import { overview } from "./sections/overview.ts";
import { statisticsSection } from "./sections/statistics.ts";
import { trainingSection } from "./sections/training.ts";

/** The files that are copied into the page are in `src`, for the compiled program too. */
const asset = (name: string): string => readFileSync(new URL(`../../src/report/page/${name}`, import.meta.url), "utf8");

/** In dependency order. */
const SCRIPTS = ["text.js", "feature.js", "report.js"];

const SECTIONS = [
  ["overview", "Overview"],
  ["features", "Features"],
  ["statistics", "Statistics"],
  ["training", "Training"],
  ["config", "Config"],
] as const;

/** A report as one self-contained page: it loads nothing, and its content security policy forbids loading. */
export const reportPage = async (report: ReportData): Promise<string> => {
  const scripts = SCRIPTS.map(asset);
  const names = report.dictionaries.map(({ name }) => name);
  const title = names.length === 1 ? names[0] : `${names.length} dictionaries`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy(scripts)}">
<title>${title} · dictlearn report</title>
<link rel="icon" href="data:,">
<style>${trusted(asset("report.css"))}</style>
</head>
<body>
<a class="skip" href="#features">Skip to the features</a>
<header class="bar"><span class="brand">dictlearn</span><nav aria-label="Sections">${SECTIONS.map(
    ([id, label]) => html`<a href="#${id}">${label}</a>`,
  )}</nav></header>
<main>
${overview(report)}
${featuresSection(report)}
${await statisticsSection(report)}
${await trainingSection(report)}
${configSection(report)}
${footer()}
</main>
<script type="application/json" id="data">${embeddedJson(packReport(report))}</script>
${scripts.map((script) => html`<script>${trusted(script)}</script>`)}
</body>
</html>
`.text;
};

/** Nothing but the page's own scripts may run, and nothing may be loaded. */
const policy = (scripts: readonly string[]): string => {
  const hashes = scripts.map((script) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`);
  return `default-src 'none'; script-src ${hashes.join(" ")}; style-src 'unsafe-inline'; img-src data:`;
};

/** Explains the numbers to readers who have the page without the program. */
const footer = (): Html => html`<footer>
<h2>How to read this</h2>
<dl>
<dt>Loss recovered</dt><dd>(L<sub>rec</sub> − L<sub>zero</sub>) / (L<sub>orig</sub> − L<sub>zero</sub>): the model’s loss with the reconstruction in place of the activations, between that of zeros (0 %) and that of the untouched model (100 %).</dd>
<dt>Loss effect</dt><dd>By how much the mean loss per token would rise if the feature were always 0 and all else stayed, the error of the reconstruction included: E −f (∂L/∂y · d), for its activation f and its decoder column d. Exact to first order; of large effects it gives the direction and the order of size. 1 mnat is a thousandth of a nat.</dd>
<dt>Promotes, suppresses</dt><dd>What the decoder column does to the logits on the direct path: final norm, then unembedding, in standard deviations over the vocabulary.</dd>
<dt>Nearest neighbours</dt><dd>Cosine between decoder columns.</dd>
<dt>Frequency</dt><dd>Share of tokens on which a feature is not 0.</dd>
</dl>
<p>Made by dictlearn. docs/statistics.md has the formulas.</p>
</footer>`;
