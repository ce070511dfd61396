import { count, shortName } from "../format.ts";
import { type Html, html } from "../html.ts";
import { type FeatureBrowser, isThere, type ReportData } from "../report-data.ts";

/** The frame of the feature browser; the page's script fills it. */
export const featuresSection = ({ dictionaries }: ReportData): Html => {
  const shown = dictionaries.flatMap(({ name, features }) => (isThere(features) ? [{ name, features }] : []));
  const missing = dictionaries.flatMap(({ name, features }) => (isThere(features) ? [] : [{ name, features }]));
  return html`<section id="features" aria-labelledby="features-title">
<h2 id="features-title">Features</h2>
${shown[0] !== undefined ? html`<p class="about">${about(shown.map(({ features }) => features))}</p>${frame(shown)}` : null}
${missing.map(
  ({ name, features: { whyNot } }) =>
    html`<p class="note">No features${dictionaries.length > 1 ? html` of <b>${name}</b>` : null}: ${whyNot}</p>`,
)}
</section>`;
};

/** What was read for it. */
const about = (browsers: readonly FeatureBrowser[]): string => {
  const shown = browsers.reduce((sum, { features }) => sum + features.length, 0);
  const tokens = count(Math.max(...browsers.map((each) => each.tokens)));
  const texts = [...new Set(browsers.map(({ data }) => shortName(data)))].join(", ");
  const training = browsers.some(({ trainingText }) => trainingText) ? ", documents of the training included" : "";
  const predictions = count(Math.max(...browsers.map((each) => each.predictions)));
  const named = browsers.some(({ features }) => features.some(({ groups }) => groups.includes("named")));
  return `${count(shown)} features: ${named ? "those asked for by number, " : ""}those whose loss would be felt most, those that fire most often, and some at random. Their contexts were searched in ${tokens} tokens of ${texts}${training}. Loss effects are first-order estimates over ${predictions} predictions.`;
};

const frame = (
  shown: readonly { readonly name: string; readonly features: FeatureBrowser }[],
): Html => html`<div class="browser" id="browser">
<div class="finder">
${
  shown.length > 1
    ? html`<label class="field"><span>Dictionary</span><select id="dictionary">${shown.map(
        ({ name }, index) => html`<option value="${index}">${name}</option>`,
      )}</select></label>`
    : null
}
<div class="search"><input id="search" type="search" placeholder="Feature number or token" aria-label="Search by feature number or token" aria-controls="list" aria-keyshortcuts="/" autocomplete="off" autocapitalize="off" spellcheck="false"><kbd aria-hidden="true">/</kbd></div>
<div class="groups" id="groups" role="group" aria-label="Show">
<button type="button" data-group="" aria-pressed="true">All</button>
<button type="button" data-group="loss" aria-pressed="false">Loss effect</button>
<button type="button" data-group="frequent" aria-pressed="false">Frequent</button>
<button type="button" data-group="random" aria-pressed="false">Random</button>
${
  shown.some(({ features }) => features.features.some(({ groups }) => groups.includes("named")))
    ? html`<button type="button" data-group="named" aria-pressed="false">By number</button>`
    : null
}
</div>
<label class="field"><span>Sort by</span><select id="sort">
<option value="lossEffect">loss effect</option>
<option value="lossEffectWhereItFires">loss effect where it fires</option>
<option value="fired">frequency</option>
<option value="highest">highest activation</option>
<option value="feature">number</option>
</select></label>
<p id="count" class="count" role="status"></p>
<ul id="list" class="list" role="listbox" tabindex="0" aria-label="Features"></ul>
</div>
<article id="detail" class="detail" tabindex="-1" aria-label="The selected feature"></article>
</div>
<noscript><p class="note">The feature browser needs JavaScript.</p></noscript>`;
