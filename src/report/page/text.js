// Elements, numbers and tokens, for the scripts that follow.
// Text only ever becomes text nodes, so nothing in a model's vocabulary can become markup.
{
  /** An element with attributes; children are elements or text. */
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null));
    return element;
  };

  // Numbers ------------------------------------------------------------------------------------------------------------

  const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const short = (value, digits = 3) => {
    const size = Math.abs(value);
    const text =
      size !== 0 && (size < 1e-3 || size >= 1e5)
        ? value.toExponential(digits - 1)
        : String(Number(value.toPrecision(digits)));
    return text.replaceAll("-", "−");
  };
  const percent = (share) => `${short(share * 100)} %`;
  const nats = (value) => (value === null ? "–" : `${short(value * 1000, 2)} mnat`);

  // Tokens -------------------------------------------------------------------------------------------------------------

  const SYMBOLS = { "\n": "↵", "\r": "␍", "\t": "⇥" };
  const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

  /** A token for display: invisible characters, or those that reverse the text, become symbols. */
  const visible = (text) =>
    text === ""
      ? "∅"
      : text.replace(
          INVISIBLE,
          (each) => SYMBOLS[each] ?? `⟨${each.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`,
        );
  /** The same for a single token: spaces too. */
  const alone = (text) => (text.trim() === "" ? visible(text).replaceAll(" ", "␣") : visible(text).trim());

  /** A token's text, with bytes that do not form a character, ⟨E2 82⟩, set apart. */
  const pieces = (text) =>
    text
      .split(/(⟨[\dA-F ]+⟩)/)
      .filter((part) => part !== "")
      .map((part) => (/^⟨[\dA-F ]+⟩$/.test(part) ? make("span", { class: "bytes" }, part) : part));

  /** A piece of text, shaded from 0 to 1. */
  const shaded = (text, share, title) => {
    const element = make("span", { class: share > 0 ? "token on" : "token", title }, pieces(text));
    if (share > 0) element.style.setProperty("--share", String(Math.round(share * 100) / 100));
    return element;
  };

  /** Position and activation of the strongest token: `active` alternates between them. */
  const strongest = (active) => {
    let best = 0;
    for (let index = 2; index < active.length; index += 2) if (active[index + 1] > active[best + 1]) best = index;
    return [active[best] ?? 0, active[best + 1] ?? 0];
  };

  window.dictlearn = { make, whole, short, percent, nats, visible, alone, pieces, shaded, strongest };
}
