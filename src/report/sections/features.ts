import { count, shortName } from "../format.ts";
import { type Html, html } from "../html.ts";
import {
  type FeatureBrowser,
  type FeatureGroup,
  isThere,
  type ReportData,
  type ReportedFeature,
} from "../report-data.ts";

/** The frame of the feature browser; the page's script fills it. */
export const featuresSection = ({ dictionaries }: ReportData): Html => {
  const shown = dictionaries.flatMap(({ name, size, features }) =>
    isThere(features) ? [{ name, size, features }] : [],
  );
  const missing = dictionaries.flatMap(({ name, features }) => (isThere(features) ? [] : [{ name, features }]));
  return html`<section id="features" aria-labelledby="features-title">
<h2 id="features-title">Features</h2>
${shown[0] !== undefined ? html`<p class="about">${about(shown)}</p>${frame(shown)}` : null}
${missing.map(
  ({ name, features: { whyNot } }) =>
    html`<p class="note">No features${dictionaries.length > 1 ? html` of <b>${name}</b>` : null}: ${whyNot}</p>`,
)}
</section>`;
};

interface Shown {
  readonly name: string;
  readonly size: number;
  readonly features: FeatureBrowser;
}

/** The features shown, and the text read for them. */
const about = (shown: readonly Shown[]): string => {
  const browsers = shown.map(({ features }) => features);
  const tokens = count(Math.max(...browsers.map((each) => each.tokens)));
  const texts = [...new Set(browsers.map(({ data }) => shortName(data)))].join(", ");
  const training = browsers.some(({ trainingText }) => trainingText) ? ", documents of the training included" : "";
  const predictions = Math.max(...browsers.map((each) => each.predictions));
  const reasons = [...new Set(browsers.flatMap(({ noLossEffect }) => noLossEffect ?? []))];
  const losses = [
    ...(predictions > 0 ? [` Loss effects are first-order estimates over ${count(predictions)} predictions.`] : []),
    ...reasons.map((reason) => ` There are no loss effects: ${reason}`),
  ];
  return `${which(shown)} Contexts were searched in ${tokens} tokens of ${texts}${training}.${losses.join("")}`;
};

const fires = ({ fired }: ReportedFeature): boolean => fired > 0;
const isComplete = ({ features }: Shown): boolean => features.features.filter(fires).length === features.firing;

/** The features that are shown, in a sentence: all that fired, or how they were chosen. */
const which = (shown: readonly Shown[]): string => {
  const complete = shown.filter(isComplete);
  const features = shown.flatMap((each) => each.features.features);
  const size = shown.reduce((sum, each) => sum + each.size, 0);
  if (complete.length === shown.length) {
    const firing = features.filter(fires).length;
    const silent = features.length - firing;
    const asked = silent === 0 ? "" : ` and ${count(silent)} of those that did not, asked for by number`;
    return `All ${count(firing)} of ${count(size)} features that fired in what was read${asked}.`;
  }
  const chosen = shown.filter((each) => !complete.includes(each)).flatMap((each) => each.features.features);
  const named = features.some(({ groups }) => groups.includes("named")) ? "those asked for by number, " : "";
  const near = chosen.some(({ groups }) => groups.includes("near")) ? ", and nearest neighbours of these" : "";
  const how = `${named}those with the largest loss effect, those that fire most often, ${near === "" ? "and some" : "some"} at random${near}`;
  const all =
    complete.length === 0 ? "" : `all that fired of ${complete.map(({ name }) => name).join(", ")}; of the others `;
  return `${count(features.length)} of ${count(size)} features: ${all}${how}.`;
};

const GROUPS: readonly (readonly [group: FeatureGroup, label: string])[] = [
  ["loss", "Loss effect"],
  ["frequent", "Frequent"],
  ["random", "Random"],
  ["near", "Neighbours"],
  ["named", "By number"],
];

const frame = (shown: readonly Shown[]): Html => html`<div class="browser" id="browser">
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
${GROUPS.filter(([group]) =>
  shown.some(({ features }) => features.features.some(({ groups }) => groups.includes(group))),
).map(([group, label]) => html`<button type="button" data-group="${group}" aria-pressed="false">${label}</button>`)}
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
