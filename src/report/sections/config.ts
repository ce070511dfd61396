import { stringify } from "yaml";
import { type Html, html } from "../html.ts";
import type { ReportData } from "../report-data.ts";

/** Each dictionary's config.json, above all the resolved run. */
export const configSection = ({ dictionaries }: ReportData): Html => {
  const known = dictionaries.filter(({ config }) => config !== null);
  return html`<section id="config" aria-labelledby="config-title">
<h2 id="config-title">Config</h2>
${known.length === 0 ? html`<p class="note">There is no config.json beside ${dictionaries.length === 1 ? "the dictionary" : "these dictionaries"}.</p>` : null}
${grouped(known).map(
  ({ names, text }, _, all) =>
    html`<details${all.length === 1 ? html` open` : null}><summary>${names.join(", ")}</summary><pre tabindex="0">${text}</pre></details>`,
)}
</section>`;
};

/** Dictionaries of one run have one config: it is shown once. */
const grouped = (dictionaries: ReportData["dictionaries"]): { names: string[]; text: string }[] => {
  const groups = new Map<string, string[]>();
  for (const { name, config } of dictionaries) {
    const text = stringify(config?.run ?? config, { lineWidth: 0 });
    const names = groups.get(text);
    if (names === undefined) groups.set(text, [name]);
    else names.push(name);
  }
  return [...groups].map(([text, names]) => ({ names, text }));
};
