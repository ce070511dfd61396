// The view of one feature: numbers, tokens it promotes and suppresses, neighbours, contexts.
{
  const { make, whole, short, percent, nats, visible, alone, pieces, shaded, strongest } = window.dictlearn;

  const GROUPS = { loss: "loss effect", frequent: "frequent", random: "random", near: "neighbour", named: "by number" };
  /** Tokens of a context that are shown at first, before and after the strongest. */
  const [BEFORE, BEHIND] = [40, 16];

  /**
   * The elements that show a feature. `about` has the page's data, the number of tokens read, why there are no direct
   * effects, buttons for the previous and next feature, and a function that creates a neighbour's item.
   */
  const featureView = (feature, about) => [
    make(
      "header",
      {},
      make("h3", {}, "Feature ", make("span", { id: "number" }, String(feature.feature))),
      make(
        "p",
        { class: "tags" },
        feature.groups.map((group) => make("span", { class: "tag" }, GROUPS[group])),
      ),
      make("div", { class: "steps" }, about.steps),
    ),
    facts(feature, about),
    effects(feature, about),
    contexts(feature, about),
  ];

  const facts = ({ fired, lossEffect, lossEffectWhereItFires, highest }, { tokens }) => {
    const fact = (label, value, more) =>
      make("div", {}, make("dt", {}, label), make("dd", {}, make("strong", {}, value), make("span", {}, more)));
    return make(
      "dl",
      { class: "facts" },
      fact("Frequency", percent(fired / tokens), fired === 0 ? "never" : `1 token in ${short(tokens / fired)}`),
      fact("Loss effect", nats(lossEffect), "over all tokens"),
      fact("Where it fires", nats(lossEffectWhereItFires), "loss effect for each firing"),
      fact("Highest activation", short(highest), `in ${whole.format(tokens)} tokens`),
    );
  };

  const effects = ({ promoted, suppressed, neighbours }, { data: { strings }, noDirectEffect, neighbour, absent }) => {
    const tokens = (title, pairs, name) =>
      make(
        "section",
        { class: name },
        make("h4", {}, title),
        make(
          "ol",
          {},
          pairs.map(([token, effect]) =>
            make(
              "li",
              {},
              make("code", {}, pieces(alone(strings[token]))),
              make("span", {}, `${effect > 0 ? "+" : "−"}${short(Math.abs(effect), 2)} σ`),
            ),
          ),
        ),
      );
    return make(
      "div",
      { class: "effects" },
      noDirectEffect === null ? tokens("Promotes", promoted, "promotes") : null,
      noDirectEffect === null ? tokens("Suppresses", suppressed, "suppresses") : null,
      noDirectEffect === null ? null : make("p", { class: "note" }, noDirectEffect),
      make(
        "section",
        { class: "neighbours" },
        make("h4", {}, "Nearest neighbours"),
        make("ol", {}, neighbours.map(neighbour)),
        absent(neighbours),
      ),
    );
  };

  const contexts = (feature, { data }) =>
    make(
      "div",
      { class: "contexts" },
      make("h4", {}, "Where it fires most"),
      feature.contexts.length === 0
        ? make("p", { class: "note" }, "It fired nowhere in the text that was read.")
        : null,
      feature.contexts.map((each, index) => contextOf(each, { data, highest: feature.highest, index })),
    );

  /** A context: the tokens around the strongest one, and all of it on demand. */
  const contextOf = ({ context, cut, active }, { data, highest, index }) => {
    const tokens = data.contexts[context].map((token) => data.strings[token]);
    const activations = new Map();
    for (let each = 0; each < active.length; each += 2) activations.set(active[each], active[each + 1]);
    const [peak] = strongest(active);
    const length = BEFORE + 1 + BEHIND;
    const start = Math.max(0, Math.min(peak - BEFORE, tokens.length - length));
    const end = Math.min(tokens.length, start + length);
    const text = make("p", { class: "text", dir: "auto" });
    const show = (from, to) =>
      text.replaceChildren(
        from > 0 || cut[0] ? "… " : "",
        ...tokens.slice(from, to).map((token, offset) => {
          const position = from + offset;
          const activation = activations.get(position) ?? 0;
          const element = shaded(visible(token), activation / highest, activation === 0 ? null : short(activation));
          if (position === peak) element.classList.add("peak");
          element.addEventListener("click", () => tell(position));
          return element;
        }),
        to < tokens.length || cut[1] ? " …" : "",
      );
    show(start, end);
    const told = make("span", { "aria-live": "polite" });
    /** Shows the activation at a token; a finger cannot hover over it. */
    const tell = (position) => {
      // A model reads the first token of a context without any before it, and many features fire only on that.
      const first = position === 0 && !cut[0] ? ", the first token of its context" : "";
      const value = make("b", {}, short(activations.get(position) ?? 0));
      told.replaceChildren(value, " at ", make("code", {}, pieces(alone(tokens[position] ?? ""))), first);
    };
    tell(peak);
    const foot = make("p", { class: "foot" }, told);
    if (start > 0 || end < tokens.length) {
      const more = make("button", { type: "button", class: "link", "aria-expanded": "false" }, "more text");
      more.addEventListener("click", () => {
        const all = more.getAttribute("aria-expanded") === "false";
        more.setAttribute("aria-expanded", String(all));
        more.textContent = all ? "less text" : "more text";
        if (all) show(0, tokens.length);
        else show(start, end);
      });
      foot.append(more);
    }
    return make("section", { class: "context", "aria-label": `Context ${index + 1}` }, text, foot);
  };

  window.dictlearn.featureView = featureView;
}
