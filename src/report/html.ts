/** Markup that is safe to put into a page unescaped. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Value = string | number | null | undefined | false | Html | readonly Value[];

/** Markup from a template: values are escaped, unless they are markup. null, undefined and false become empty. */
export const html = (strings: TemplateStringsArray, ...values: readonly Value[]): Html =>
  new Html(strings.map((each, index) => each + (index < values.length ? written(values[index]) : "")).join(""));

/** Markup that comes from this program: a plot, a style sheet, a script. */
export const trusted = (text: string): Html => new Html(text);

const written = (value: Value): string => {
  if (value instanceof Html) return value.text;
  if (value === null || value === undefined || value === false) return "";
  if (typeof value === "object") return value.map(written).join("");
  return escaped(String(value));
};

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for an element or an attribute in quotes. */
const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (each) => ENTITIES[each] ?? each);

/** JSON for a script element: nothing in it can end the element or begin a comment. */
export const embeddedJson = (value: unknown): Html => new Html(JSON.stringify(value).replaceAll("<", "\\u003c"));
